//! One value for each topic.

use soorma_core::Topic;

#[derive(Debug)]
pub(crate) struct PerTopic<T>([T; Topic::ALL.len()]);

impl<T> PerTopic<T> {
    pub(crate) fn new(of: impl FnMut(Topic) -> T) -> Self {
        Self(Topic::ALL.map(of))
    }

    #[expect(clippy::indexing_slicing, reason = "the numbers of the eight topics are 0 to 7")]
    pub(crate) fn of(&self, topic: Topic) -> &T {
        &self.0[usize::from(topic.number())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_finds_its_own_value() {
        let numbers = PerTopic::new(|topic| topic.number());
        for topic in Topic::ALL {
            assert_eq!(*numbers.of(topic), topic.number());
        }
    }
}
