//! The suite of [`soorma_ports::RegistryStore`].

mod agents;
mod batches;
mod changes;
mod definitions;
pub(crate) mod follower;
mod forgetting;
mod kept;
mod revisions;
pub(crate) mod steps;
mod waiting;
mod walls;

use std::sync::Arc;

use soorma_ports::RegistryStore;

/// A store to be tested, and its surroundings.
#[expect(async_fn_in_trait, reason = "a test awaits it where it is; nothing is sent to another thread")]
pub trait RegistryStoreHarness: Sized {
    /// Makes an empty store of its own.
    async fn fresh() -> Self;

    /// Returns the store.
    fn store(&self) -> Arc<dyn RegistryStore>;

    /// Opens the same data a second time, as another process does it; nothing where they belong to one process.
    async fn second(&self) -> Option<Arc<dyn RegistryStore>>;

    /// Ends the process that has the store, and opens the same data in a new one.
    async fn reopen(self) -> Self;

    /// Has what this agent of `acme` said become unreadable where it is kept, as damage does it or a newer version.
    async fn damage(&self, agent: &str);
}

contract!($ registry_store_contract = registry_store::RegistryStoreHarness [
    batches::{
        what_was_answered_is_there_after_reopening,
        a_working_store_says_so,
        a_batch_of_nothing_answers_nothing,
        each_write_has_its_answer_in_the_order_of_the_call,
        what_is_refused_undoes_none_of_its_neighbours,
        a_write_sees_those_before_it,
        what_is_sent_again_does_no_harm,
        a_large_batch_is_carried_out,
        batches_that_cross_are_both_carried_out,
    }
    agents::{
        put_it_is_made_as_it_was_said,
        put_again_it_is_replaced_and_keeps_its_first_time,
        put_with_an_earlier_time_it_was_heard_then,
        a_sign_of_life_moves_the_time_forward,
        an_old_sign_of_life_moves_nothing_back_but_what_it_says_counts,
        a_sign_of_life_that_says_nothing_leaves_the_standing,
        a_standing_takes_the_place_of_the_former_with_its_reason,
        a_sign_of_life_of_nobody_is_refused,
        removed_it_is_gone_and_put_again_made_anew,
        a_removal_is_refused_when_it_was_heard_after_the_time,
        a_removal_of_nobody_is_refused,
        put_by_many_at_once_it_is_made_once,
    }
    definitions::{
        a_definition_is_replaced_all_but_its_topic,
        a_schema_is_put_once_and_its_first_content_stays,
        a_schema_has_the_time_of_its_write,
        versions_of_a_schema_stand_side_by_side,
        an_agent_a_definition_and_a_schema_of_one_name_are_three,
        a_schema_put_by_many_at_once_is_made_once,
    }
    walls::{
        the_same_names_in_other_tenants_are_others,
        a_write_finds_nothing_of_another_tenant,
        a_batch_of_many_tenants_keeps_them_apart,
        a_topic_binds_its_own_tenant_alone,
    }
    revisions::{
        every_write_has_a_revision_past_those_before,
        a_sign_of_life_that_is_no_news_has_no_older_revision_than_the_record,
        revisions_grow_after_reopening,
        what_was_written_is_seen_up_to_its_revision,
        ten_thousand_rows_are_paged_while_they_change,
        who_follows_misses_nothing_of_writers_at_once,
    }
    changes::{
        of_nothing_there_are_none,
        pages_go_through_all_in_order,
        a_row_is_told_once_as_it_is_now,
        after_zero_nothing_that_was_removed_is_told,
        that_an_agent_was_removed_is_told_to_who_saw_it,
        an_agent_that_was_put_again_is_told_whole,
        only_a_sign_of_life_is_told_without_the_record,
        who_pages_gets_the_record_of_an_agent_that_was_heard_since,
        at_the_end_there_is_nothing,
        asked_for_none_a_page_goes_nowhere,
        what_cannot_be_read_is_left_out_and_holds_up_nothing,
    }
    waiting::{
        who_waits_is_woken_by_a_write,
        who_waits_is_woken_by_a_write_of_another,
        who_waits_is_woken_by_every_kind_of_write,
        all_who_wait_are_woken,
        what_was_written_before_needs_no_waiting,
        a_wait_that_is_dropped_loses_nothing,
    }
    forgetting::{
        what_was_removed_before_the_time_is_forgotten_and_counted,
        who_stands_before_what_was_forgotten_begins_anew,
        forgetting_nothing_sends_nobody_back,
        an_agent_that_was_put_again_is_not_forgotten,
        what_was_forgotten_stays_so_after_reopening,
        who_begins_anew_by_small_pages_gets_to_the_end,
        who_pages_is_sent_back_when_something_was_forgotten_since_he_began,
        who_stands_past_the_last_revision_begins_anew,
    }
    kept::{
        texts_come_back_as_they_were,
        names_of_all_lengths_and_scripts_come_back,
        schemas_come_back_to_the_letter,
        times_from_first_to_last_come_back,
        what_was_not_said_stays_unsaid,
        large_documents_come_back,
    }
]);
