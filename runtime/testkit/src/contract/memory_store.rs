//! The suite of [`soorma_ports::MemoryStore`].

mod erasing;
mod expiry;
mod filters;
mod kept;
mod keys;
mod lists;
mod puts;
mod ranks;
mod revisions;
pub(crate) mod steps;
mod vectors;
mod walls;
mod words;
mod writes;

use std::sync::Arc;

use soorma_ports::MemoryStore;
use uuid::Uuid;

/// A store to be tested, and its surroundings.
#[expect(async_fn_in_trait, reason = "a test awaits it where it is; nothing is sent to another thread")]
pub trait MemoryStoreHarness: Sized {
    /// Makes an empty store of its own.
    async fn fresh() -> Self;

    /// Returns the store.
    fn store(&self) -> Arc<dyn MemoryStore>;

    /// Opens the same data a second time, as another process does it; nothing where they belong to one process.
    async fn second(&self) -> Option<Arc<dyn MemoryStore>>;

    /// Ends the process that has the store, and opens the same data in a new one.
    async fn reopen(self) -> Self;

    /// Has the vectors of this entry of `acme` become such as nobody made where they are kept, as damage does it: cut off, or not of length 1. It is seen after
    /// [`reopen`](Self::reopen) at the latest.
    async fn damage_vectors(&self, id: Uuid);
}

contract!($ memory_store_contract = memory_store::MemoryStoreHarness [
    writes::{
        what_was_answered_is_there_after_reopening,
        vectors_that_were_answered_are_there_after_reopening,
        a_working_store_says_so,
        a_call_of_nothing_answers_nothing,
        each_write_has_its_answer_in_the_order_of_the_call,
        what_is_refused_undoes_none_of_its_neighbours,
        a_write_sees_those_before_it,
        a_large_call_is_carried_out,
        calls_that_cross_are_both_carried_out,
        a_key_put_by_many_at_once_is_made_once,
        of_many_who_compare_and_set_one_wins,
    }
    keys::{
        an_owner_has_one_private_entry_of_a_key,
        a_tenant_has_one_public_entry_of_a_key_whoever_put_it,
        private_and_public_entries_of_one_key_are_two,
        a_key_in_another_kind_group_owner_or_tenant_is_another,
        entries_without_a_key_are_each_their_own,
        keys_that_look_alike_are_others,
        places_are_answered_in_their_order,
    }
    puts::{
        put_where_there_is_none_it_is_made_as_it_was_said,
        put_again_all_but_its_id_owner_and_first_time_is_replaced,
        what_was_replaced_is_found_no_more,
        put_absent_where_there_is_one_exists_already,
        put_present_where_there_is_none_is_not_found,
        put_of_a_revision_conflicts_with_another_and_says_which,
        removed_it_is_gone_by_every_road,
        a_removal_of_nobody_is_not_found,
        a_removal_of_another_revision_conflicts_and_says_which,
        a_group_is_removed_with_its_private_entries_and_no_others,
    }
    revisions::{
        each_put_has_a_revision_past_those_before,
        nothing_but_a_write_changes_a_revision,
        one_in_the_place_of_what_is_gone_has_a_greater_revision,
        revisions_grow_after_reopening,
    }
    vectors::{
        a_draft_brings_its_vector,
        a_put_that_changes_the_text_drops_the_vectors_but_the_one_it_brings,
        a_put_that_leaves_the_text_as_it_is_keeps_the_vectors,
        a_text_that_is_taken_away_takes_its_vectors_along,
        vectors_are_added_to_the_revision_that_they_were_made_of,
        vectors_of_what_is_gone_or_elsewhere_are_passed_over,
        a_vector_that_is_added_again_takes_the_place_of_the_first,
        what_has_no_vector_is_told_of_all_tenants_by_id_in_pages,
        what_has_no_vector_is_told_some_of_its_texts_at_once,
        vectors_are_dropped_of_a_tenant_or_a_generation,
        a_damaged_vector_is_as_if_it_were_not_there,
    }
    walls::{
        the_same_keys_in_other_tenants_are_others,
        nothing_of_another_tenant_is_read_listed_or_ranked,
        nothing_of_another_tenant_is_changed_or_removed,
        an_owner_sees_private_entries_of_its_own_alone,
        public_entries_are_seen_by_all_of_the_tenant,
        an_owner_removes_its_own_alone,
        scores_tell_nothing_of_another_tenant,
        scores_tell_nothing_of_what_another_owner_has,
    }
    expiry::{
        an_entry_is_there_until_the_moment_it_expires,
        what_has_expired_is_there_for_no_write,
        what_has_expired_makes_room_for_another,
        a_put_says_anew_when_it_expires,
        what_has_expired_is_removed_of_all_tenants_some_at_once,
        what_is_too_old_is_retired_by_kind_some_at_once,
    }
    lists::{
        lists_stand_in_each_of_four_orders,
        ties_are_in_the_order_of_ids,
        keys_are_in_the_order_of_their_bytes,
        pages_go_through_all_in_each_order,
        a_page_says_whether_there_are_more,
        who_goes_on_misses_nothing_that_stands_behind,
        who_goes_on_does_so_within_a_filter,
        behind_the_last_there_is_nothing,
        a_page_ends_when_it_has_many_bytes,
        states_are_of_one_group_and_in_the_order_of_keys,
    }
    filters::{
        a_filter_takes_a_kind_and_a_group,
        a_filter_takes_those_with_all_of_its_labels,
        a_filter_takes_from_one_time_to_before_another,
        a_filter_takes_what_holds_at_a_time,
        a_filter_takes_private_or_public_entries_or_both,
        what_a_filter_says_counts_together,
    }
    ranks::{
        each_list_comes_when_it_is_asked_for,
        where_there_is_nothing_nothing_is_ranked,
        the_nearest_come_first_with_their_cosine,
        the_newest_come_first,
        each_list_is_as_deep_as_was_asked,
        generations_are_never_mixed,
        what_has_no_vector_or_text_is_in_the_other_lists,
        a_filter_is_held_before_the_depth,
        who_asks_for_k_finds_k_beside_a_great_neighbour,
        what_was_just_written_is_ranked_for_all,
        of_the_true_first_ten_most_are_found,
    }
    words::{
        texts_are_found_by_their_words_whatever_their_case,
        words_have_letters_and_digits_of_all_scripts,
        words_are_whole_and_as_they_are,
        what_is_no_letter_or_digit_parts_words,
        no_character_of_a_query_has_a_meaning,
        a_query_without_words_finds_nothing,
        one_word_of_many_is_enough_and_more_are_better,
        rare_words_count_more,
        a_long_question_is_answered,
        a_long_text_is_kept_whole_and_found_by_its_words,
    }
    kept::{
        texts_come_back_as_they_were,
        what_was_not_said_stays_unsaid,
        times_from_first_to_last_come_back,
        owners_and_kinds_of_all_lengths_come_back,
        large_entries_come_back,
    }
    erasing::{
        counts_are_by_kind_in_the_order_of_their_names,
        counts_follow_what_is_written,
        an_owner_is_erased_with_what_it_made_public,
        a_service_tenant_is_erased_with_all_its_owners,
        a_tenant_is_erased_and_no_other,
        where_there_is_nothing_nothing_is_erased,
        a_public_entry_goes_with_who_put_it_first,
    }
]);
