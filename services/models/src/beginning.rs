//! Of a text that is too long, the beginning counts.

/// Returns the text, or as many whole characters of its beginning as fit in so many bytes.
pub(crate) fn beginning(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_cut() {
        for (most, left) in
            [(0, ""), (1, "a"), (2, "a"), (3, "aé"), (4, "aé"), (6, "aé"), (7, "aé🦀"), (99, "aé🦀")]
        {
            assert_eq!(beginning("aé🦀", most), left, "{most}");
        }
    }
}
