//! Lines and words as `LC_ALL=C wc -l -w` counts them, and the runs of ASCII letters. Pure.

use std::collections::HashMap;

/// Counts a text that comes in pieces, cut anywhere.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    lines: u64,
    words: u64,
    in_word: bool,
    run: Vec<u8>,
    runs: HashMap<Vec<u8>, u64>,
    nul: bool,
}

/// What a text comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) lines: u64,
    pub(crate) words: u64,
    /// Maximal runs of ASCII letters, in lower case, by the word.
    pub(crate) runs: Vec<(String, u64)>,
}

impl Counter {
    /// Takes a piece in; false once the text is none, since it has a NUL byte.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> bool {
        for byte in piece {
            if byte.is_ascii_alphabetic() {
                self.run.push(byte.to_ascii_lowercase());
            } else if !self.run.is_empty() {
                self.end_run();
            }
            match byte {
                0 => {
                    self.nul = true;
                    return false;
                }
                b'\n' | b'\t' | b'\r' | b' ' | 0x0b | 0x0c => {
                    self.lines += u64::from(*byte == b'\n');
                    self.words += u64::from(self.in_word);
                    self.in_word = false;
                }
                // In the C locale other bytes neither make a word nor part two.
                0x21..=0x7e => self.in_word = true,
                _ => {}
            }
        }
        true
    }

    /// Returns how many letters the word has that the text so far ends with.
    pub(crate) fn open_run(&self) -> usize {
        self.run.len()
    }

    fn end_run(&mut self) {
        match self.runs.get_mut(&self.run) {
            Some(count) => {
                *count += 1;
                self.run.clear();
            }
            None => drop(self.runs.insert(std::mem::take(&mut self.run), 1)),
        }
    }

    /// Ends the text. `None` when it is no text.
    pub(crate) fn finish(mut self) -> Option<Count> {
        if self.nul {
            return None;
        }
        if !self.run.is_empty() {
            self.end_run();
        }
        self.words += u64::from(self.in_word);
        let mut runs: Vec<_> = self
            .runs
            .into_iter()
            .map(|(run, count)| (String::from_utf8(run).unwrap_or_default(), count))
            .collect();
        runs.sort_unstable();
        Some(Count { lines: self.lines, words: self.words, runs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &[u8]) -> Option<Count> {
        let mut counter = Counter::default();
        counter.feed(text);
        counter.finish()
    }

    #[test]
    fn words_are_counted_as_wc_does_in_the_c_locale() {
        // Each line is what `LC_ALL=C wc -l -w` of GNU coreutils 9.1 says.
        let table: [(&[u8], u64, u64); 8] = [
            (b"", 0, 0),
            (b"one two\nthree", 1, 3),
            (b"\x01 \xe9 a", 0, 1),
            (b"a\x01b", 0, 1),
            (b"\xc2\xa0x y", 0, 2),
            (b"a\x0bb\x0cc\rd", 0, 4),
            (b"\x7f \n", 1, 0),
            ("— dash —\n".as_bytes(), 1, 1),
        ];
        for (text, lines, words) in table {
            let count = count(text).unwrap();
            assert_eq!((count.lines, count.words), (lines, words), "{:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn runs_are_maximal_letters_in_lower_case_wherever_the_text_is_cut() {
        let text = b"The the, x86_64: don't \xc3\xa9t\xc3\xa9 END";
        let whole = count(text).unwrap();
        let runs: Vec<_> = whole.runs.iter().map(|(run, count)| (run.as_str(), *count)).collect();
        assert_eq!(runs, [("don", 1), ("end", 1), ("t", 2), ("the", 2), ("x", 1)]);
        for cut in 0..text.len() {
            let (head, tail) = text.split_at(cut);
            let mut counter = Counter::default();
            assert!(counter.feed(head) && counter.feed(tail));
            assert_eq!(counter.finish().unwrap(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_nul_byte_anywhere_makes_it_no_text() {
        assert_eq!(count(b"one\0two"), None);
    }
}
