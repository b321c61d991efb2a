//! What an answer holds. Pure.

use serde::Deserialize;
use soorma_ports::unit;

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: usize,
    embedding: Vec<f32>,
}

/// Reads the vectors of so many texts and brings them to length 1, in the order of the texts: the answer says which is whose.
///
/// The error says what came instead, and repeats nothing of it.
pub(super) fn vectors(body: &[u8], texts: usize, dimensions: usize) -> Result<Vec<Vec<f32>>, String> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| {
        format!("what is no answer of this kind, at line {}, column {}", error.line(), error.column())
    })?;
    if answer.data.len() != texts {
        return Err(format!("{} vectors where {texts} were asked for", answer.data.len()));
    }
    let mut vectors = vec![None; texts];
    for Item { index, embedding } in answer.data {
        let Some(place) = vectors.get_mut(index).filter(|place| place.is_none()) else {
            return Err(format!("a vector of text {index}, which there is not or which has one"));
        };
        if embedding.len() != dimensions {
            return Err(format!(
                "vectors of {} dimensions where {dimensions} were expected",
                embedding.len()
            ));
        }
        let vector =
            unit(embedding).ok_or("a vector without a direction: of zeros, or of what is no number")?;
        *place = Some(vector);
    }
    vectors.into_iter().collect::<Option<_>>().ok_or_else(|| "too few vectors".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_the_order_of_an_answer_each_text_has_its_own_vector(
            order in Just((0..20_usize).collect::<Vec<_>>()).prop_shuffle()
        ) {
            let item = |index: &usize| format!(r#"{{"index":{index},"embedding":[{index},1]}}"#);
            let items: Vec<_> = order.iter().map(item).collect();
            let body = format!(r#"{{"data":[{}]}}"#, items.join(","));
            for (index, vector) in vectors(body.as_bytes(), 20, 2).unwrap().into_iter().enumerate() {
                let own = f32::from(u8::try_from(index).unwrap());
                prop_assert!((vector[0] / vector[1] - own).abs() < 1e-4, "{}: {:?}", index, vector);
            }
        }

        #[test]
        fn an_answer_that_is_cut_or_changed_anywhere_is_an_error_or_whole(at in 0..60_usize, byte in any::<u8>(), cut in any::<bool>()) {
            let mut body = br#"{"data":[{"index":0,"embedding":[1,0]},{"index":1,"embedding":[0,1]}]}"#.to_vec();
            if cut { body.truncate(at) } else { body[at] = byte }
            if let Ok(read) = vectors(&body, 2, 2) {
                prop_assert!(!cut && read.len() == 2 && read.iter().all(|vector| vector.len() == 2));
            }
        }
    }

    fn read(body: &str) -> Result<Vec<Vec<f32>>, String> {
        vectors(body.as_bytes(), 2, 2)
    }

    #[test]
    fn vectors_come_in_the_order_of_the_texts_and_of_length_1() {
        let body = r#"{"object":"list","model":"m","usage":{"prompt_tokens":3},"data":[
            {"object":"embedding","index":1,"embedding":[0,-2]},
            {"object":"embedding","index":0,"embedding":[3e5,4.0E5]}]}"#;
        assert_eq!(read(body), Ok(vec![vec![0.6, 0.8], vec![0.0, -1.0]]));
        assert_eq!(vectors(br#"{"data":[]}"#, 0, 2), Ok(vec![]));
    }

    #[test]
    fn what_was_not_asked_for_is_said() {
        let two = |first: &str, second: &str| format!(r#"{{"data":[{first},{second}]}}"#);
        let item = |index: &str, vector: &str| format!(r#"{{"index":{index},"embedding":{vector}}}"#);
        let good = item("0", "[1,0]");
        for (body, says) in [
            (String::new(), "no answer of this kind"),
            ("<html>hunter2</html>".into(), "no answer of this kind"),
            (r#"{"error":"hunter2"}"#.into(), "no answer of this kind"),
            (r#"{"data":"hunter2"}"#.into(), "no answer of this kind"),
            (format!(r#"{{"data":[{good}]}}"#), "1 vectors where 2"),
            (two(&good, &format!("{good},{good}")), "3 vectors where 2"),
            (two(&good, &item("0", "[1,0]")), "text 0, which"),
            (two(&good, &item("2", "[1,0]")), "text 2, which"),
            (two(&good, &item("-1", "[1,0]")), "no answer of this kind"),
            (two(&good, r#"{"embedding":[1,0]}"#), "no answer of this kind"),
            (two(&good, &item("1", "[1]")), "1 dimensions where 2"),
            (two(&good, &item("1", "[1,0,0]")), "3 dimensions where 2"),
            (two(&good, &item("1", "[]")), "0 dimensions where 2"),
            (two(&good, &item("1", "[0,0]")), "without a direction"),
            (two(&good, &item("1", "[NaN,0]")), "no answer of this kind"),
            (two(&good, &item("1", "[null,0]")), "no answer of this kind"),
            // Too large for us: who says so depends on how exactly serde_json reads, which other crates of a build decide.
            (two(&good, &item("1", "[1e39,0]")), ""),
            (two(&good, &item("1", "[1e999,0]")), "no answer of this kind"),
            (two(&good, &item("1", r#""AACAPwAAAAA=""#)), "no answer of this kind"),
            (two(&good, "[[[[[[[[[["), "no answer of this kind"),
            ("[".repeat(100_000), "no answer of this kind"),
        ] {
            let error = read(&body).unwrap_err();
            assert!(error.contains(says), "{body:.80}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
