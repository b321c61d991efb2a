//! The suite of [`soorma_ports::EventLog`] and [`soorma_ports::Consumer`].

mod append;
mod dead_letters;
mod groups;
mod hand_out;
mod keys;
mod read;
mod settle;
mod start;
mod steps;
mod time;
mod walls;

use std::sync::Arc;
use std::time::Duration;

use soorma_ports::EventLog;

/// A log to be tested, and its surroundings.
#[expect(async_fn_in_trait, reason = "a test awaits it where it is; nothing is sent to another thread")]
pub trait EventLogHarness: Sized {
    /// The step in which the cases let time pass: short where time is real, long enough not to be missed.
    const UNIT: Duration;
    /// How long the log keeps events; more than 100 units.
    const RETAIN_FOR: Duration;

    /// Makes an empty log of its own.
    async fn fresh() -> Self;

    /// Returns the log.
    fn log(&self) -> Arc<dyn EventLog>;

    /// Ends the process that has the log, and opens the same data in a new one.
    async fn reopen(self) -> Self;

    /// Lets time pass.
    async fn elapse(&self, by: Duration);

    /// Sets the wall clock forward (positive) or back, in seconds; no time passes.
    fn jump(&self, seconds: i64);
}

contract!($ event_log_contract = event_log::EventLogHarness [
    append::{
        an_answered_append_survives_reopening,
        an_event_comes_back_as_it_was,
        the_same_id_is_appended_once_and_its_first_content_stays,
        an_id_is_known_after_reopening,
        the_same_id_in_another_tenant_or_topic_is_another_event,
        an_id_twice_in_one_append_is_appended_once,
        an_append_of_nothing_answers_nothing,
        a_batch_over_topics_stands_in_the_order_of_the_call,
        a_batch_with_a_duplicate_appends_the_rest,
        nobody_sees_half_a_batch,
        positions_grow_for_one_who_waits,
        positions_grow_after_reopening,
        appends_at_once_each_get_their_own_place,
        the_same_id_appended_at_once_has_one_place,
        a_working_log_says_so,
    }
    read::{
        pages_go_through_a_topic_in_order,
        a_page_says_up_to_where_it_looked,
        paging_past_the_events_of_others_ends,
        at_the_end_there_is_nothing,
        reading_nothing_moves_nowhere,
        an_empty_topic_has_equal_bounds,
        a_position_ahead_is_beyond,
        a_position_that_retention_has_passed_is_gone,
        a_follower_gets_all_tenants_in_order,
        a_follower_waits_at_the_end,
        a_follower_begins_after_its_position,
        a_follower_that_is_called_off_loses_nothing,
        every_follower_gets_everything,
    }
    walls::{
        a_reader_sees_nothing_of_another_tenant,
        a_group_gets_nothing_of_another_tenant,
        groups_of_one_name_in_two_tenants_are_two,
        a_delivery_of_another_tenant_cannot_be_settled,
        dead_letters_of_another_tenant_are_not_there,
    }
    start::{
        made_now_it_gets_what_comes_after_the_answer,
        made_at_the_earliest_it_gets_all,
        made_after_a_cursor_it_gets_what_stands_after_it,
        a_cursor_out_of_bounds_is_refused,
        a_spec_that_makes_no_sense_is_refused,
        start_counts_only_when_it_is_made,
        a_reopened_group_resumes_where_it_was,
        a_topic_added_later_starts_now,
        a_member_gets_its_own_topics_only,
        a_topic_that_nobody_asks_for_waits,
        who_waits_is_woken_by_its_own_topics_whoever_waits_beside_it,
    }
    hand_out::{
        each_event_goes_to_one_member,
        many_members_at_once_share_the_events,
        a_waiting_member_is_woken_by_an_append,
        every_waiting_member_gets_its_event,
        a_member_waits_as_long_as_it_said,
        at_most_max_are_handed_out,
        asking_for_none_gives_none_at_once,
        never_more_than_max_unsettled_are_in_hand,
        credit_is_shared_by_the_members,
        an_ack_gives_credit_to_a_waiting_member,
        what_waits_for_its_retry_takes_no_credit,
        events_of_a_topic_come_in_order,
        due_again_goes_before_new,
        all_topics_of_the_group_are_handed_out,
        groups_do_not_disturb_each_other,
    }
    settle::{
        an_ack_is_final,
        an_ack_is_final_after_reopening,
        a_retry_is_never_early_and_counts,
        a_release_is_never_early_and_does_not_count,
        releases_never_use_up_the_attempts,
        a_retry_that_falls_due_wakes_a_waiting_member,
        a_member_that_comes_later_is_woken_by_a_retry_too,
        a_release_at_once_wakes_a_waiting_member,
        an_old_holder_may_ack,
        an_old_holder_may_do_nothing_else,
        who_has_settled_holds_nothing,
        settling_twice_counts_once,
        what_was_never_handed_out_cannot_be_settled,
        settlements_are_answered_in_order,
    }
    time::{
        unsettled_in_time_is_handed_out_again,
        a_lease_that_ends_wakes_a_waiting_member,
        a_member_that_waited_before_the_lease_is_woken_too,
        extending_starts_the_time_anew,
        unsettled_when_the_process_ends_is_handed_out_again,
        attempts_survive_reopening,
        a_retry_time_survives_reopening,
        a_clock_set_back_loses_nothing,
        a_clock_set_back_between_processes_loses_nothing,
        a_clock_set_forward_hands_out_nothing_early,
    }
    dead_letters::{
        the_last_attempt_that_fails_is_a_dead_letter,
        the_last_attempt_that_takes_too_long_is_a_dead_letter,
        the_last_attempt_of_a_dead_process_is_a_dead_letter,
        a_rejected_event_is_a_dead_letter_at_once,
        the_group_goes_on_without_it,
        redriven_letters_come_again_in_order,
        a_redriven_letter_wakes_a_waiting_member,
        a_redriven_letter_has_an_age_before_it_is_handed_out,
        a_redriven_letter_that_fails_again_is_a_new_one,
        redriving_says_which_were_there,
        discarding_says_which_were_there,
        a_redriven_letter_goes_to_one_who_takes_its_topic,
        a_dead_letter_is_announced_once,
        what_takes_too_long_is_announced_too,
        an_announcement_that_is_given_up_is_not_announced,
        lists_are_paged_oldest_first,
        lists_are_filtered,
        dead_letters_survive_reopening,
        a_dead_letter_outlives_its_event,
    }
    groups::{
        a_group_says_how_far_behind_it_is,
        groups_are_listed_by_tenant_and_name,
        a_group_that_is_not_there_says_so,
        who_is_no_member_may_settle,
        paused_it_hands_out_nothing_until_it_is_resumed,
        a_pause_survives_reopening,
        a_member_that_waits_is_woken_when_it_is_resumed,
        sought_back_it_hands_out_again,
        sought_forward_it_leaves_out,
        what_is_open_when_it_is_sought_stays_open_and_comes_once,
        a_place_out_of_bounds_cannot_be_sought,
        removed_it_is_gone_and_made_anew_by_who_joins,
        made_anew_it_gets_the_past_again_also_where_an_old_member_lives_on,
        a_group_that_is_used_is_not_forgotten,
        a_group_that_is_not_used_is_forgotten_in_time,
        a_group_with_dead_letters_is_not_forgotten,
        given_up_again_after_a_seek_it_is_a_second_letter,
        a_group_that_says_nothing_is_never_forgotten,
    }
    keys::{
        of_one_key_one_is_in_hand_at_a_time,
        of_one_key_they_come_in_order_whoever_asks,
        other_keys_and_events_without_one_do_not_wait,
        a_retry_holds_its_key_back,
        a_lease_that_ends_keeps_the_order,
        a_dead_letter_lets_the_next_of_its_key_go,
        a_redriven_letter_waits_for_its_key_and_goes_first,
        a_key_that_was_moved_back_goes_on_with_its_earliest,
        an_ack_wakes_who_waits_for_the_next_of_its_key,
        order_survives_reopening,
        a_key_holds_over_topics,
        without_a_key_nothing_waits,
        a_key_that_is_taken_away_lets_all_go,
    }
]);
