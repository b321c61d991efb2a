//! The suite of [`soorma_ports::Embedder`].

mod answers;
mod bounds;

use std::sync::Arc;
use std::time::Duration;

use soorma_ports::Embedder;

/// An embedder to be tested, and its surroundings.
#[expect(async_fn_in_trait, reason = "a test awaits it where it is; nothing is sent to another thread")]
pub trait EmbedderHarness: Sized {
    /// How far a number may be from what it was before: zero where the embedder computes it itself.
    const TOLERANCE: f32;
    /// Within what a call ends, whatever is away.
    const ENDS_WITHIN: Duration;

    /// Makes an embedder and whom it asks.
    async fn fresh() -> Self;

    /// Returns the embedder.
    fn embedder(&self) -> Arc<dyn Embedder>;

    /// Makes another of the same generation.
    fn another(&self) -> Arc<dyn Embedder>;

    /// Has whom it asks answer no more, with connections taken and nothing said; says whether it asks anybody.
    fn fall_silent(&self) -> bool;

    /// Has whom it asks answer again.
    fn speak_again(&self);
}

contract!($ embedder_contract = embedder::EmbedderHarness [
    answers::{
        there_is_a_vector_for_each_text_in_their_order,
        nothing_asked_for_is_nothing_answered_whoever_is_away,
        every_vector_is_finite_of_length_1_and_of_its_dimensions,
        the_generation_stays_and_is_that_of_another_of_the_kind,
        the_same_text_has_the_same_vector_whatever_stands_beside_it,
        another_embedder_of_the_generation_gives_the_same_vectors,
        texts_of_all_kinds_are_taken_as_they_are,
        a_text_that_says_nothing_has_the_vector_of_nothing,
        a_text_that_is_very_long_has_a_vector,
    }
    bounds::{
        a_full_batch_is_taken_and_one_text_more_is_refused,
        a_call_ends_in_time_whoever_is_away_and_says_that_it_may_be_tried_again,
        calls_that_are_dropped_leave_nothing_behind,
        many_calls_at_once_are_each_answered_or_told_that_it_is_too_much,
    }
]);
