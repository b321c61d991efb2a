//! Texts that go in one call, and who waits for each: of who asks for the same, all.

use std::collections::HashMap;

#[derive(Debug)]
pub(super) struct Batch<J> {
    texts: Vec<String>,
    jobs: Vec<Vec<J>>,
    places: HashMap<String, usize>,
    bytes: usize,
}

impl<J> Default for Batch<J> {
    fn default() -> Self {
        Self { texts: Vec::new(), jobs: Vec::new(), places: HashMap::new(), bytes: 0 }
    }
}

impl<J> Batch<J> {
    pub(super) fn add(&mut self, text: String, job: J) {
        let new = self.texts.len();
        let place = *self.places.entry(text.clone()).or_insert(new);
        if let Some(jobs) = self.jobs.get_mut(place) {
            jobs.push(job);
            return;
        }
        self.bytes += text.len();
        self.texts.push(text);
        self.jobs.push(vec![job]);
    }

    /// Drops jobs, and texts that nobody waits for any more.
    pub(super) fn retain(&mut self, keep: impl Fn(&J) -> bool) {
        let all = std::mem::take(self);
        for (text, jobs) in all.texts.into_iter().zip(all.jobs) {
            for job in jobs.into_iter().filter(&keep) {
                self.add(text.clone(), job);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Returns who waits for each text, in their order.
    pub(super) fn into_jobs(self) -> impl Iterator<Item = Vec<J>> {
        self.jobs.into_iter()
    }

    pub(super) fn halves(self) -> [Self; 2] {
        let middle = self.len() / 2;
        let mut halves = [Self::default(), Self::default()];
        for (place, (text, jobs)) in self.texts.into_iter().zip(self.jobs).enumerate() {
            let [first, second] = &mut halves;
            let half = if place < middle { first } else { second };
            jobs.into_iter().for_each(|job| half.add(text.clone(), job));
        }
        halves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_the_same_shares_one_text_and_halves_share_all() {
        let mut batch = Batch::default();
        for (text, job) in [("a", 1), ("b", 2), ("a", 3), ("c", 4), ("d", 5)] {
            batch.add(text.to_owned(), job);
        }
        assert_eq!((batch.texts().join(""), batch.bytes()), ("abcd".to_owned(), 4));
        batch.retain(|job| *job != 4);
        assert_eq!(batch.texts(), ["a", "b", "d"]);
        let [first, second] = batch.halves();
        assert_eq!((first.texts(), second.texts().concat()), (&["a".to_owned()][..], "bd".to_owned()));
        assert_eq!(first.into_jobs().collect::<Vec<_>>(), [vec![1, 3]]);
        assert_eq!(second.into_jobs().collect::<Vec<_>>(), [vec![2], vec![5]]);
    }
}
