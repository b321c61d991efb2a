//! Feature hashing passes the suite, and gives what it always gave.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use soorma_models::HashingEmbedder;
use soorma_ports::Embedder;
use soorma_testkit::contract::embedder::EmbedderHarness;

struct Hashing(Arc<HashingEmbedder>);

impl EmbedderHarness for Hashing {
    const TOLERANCE: f32 = 0.0;
    const ENDS_WITHIN: Duration = Duration::from_secs(10);

    async fn fresh() -> Self {
        Self(Arc::default())
    }

    fn embedder(&self) -> Arc<dyn Embedder> {
        self.0.clone()
    }

    fn another(&self) -> Arc<dyn Embedder> {
        Arc::new(HashingEmbedder::new())
    }

    fn fall_silent(&self) -> bool {
        false
    }

    fn speak_again(&self) {}
}

soorma_testkit::embedder_contract!(
    #[tokio::test]
    Hashing
);

async fn vector(text: &str) -> Vec<f32> {
    HashingEmbedder::new().embed(&[text.to_owned()]).await.unwrap().remove(0)
}

async fn product(a: &str, b: &str) -> f32 {
    vector(a).await.iter().zip(&vector(b).await).map(|(a, b)| a * b).sum()
}

/// The bits of all numbers of a vector, folded (FNV-1a).
fn fingerprint(vector: &[f32]) -> u64 {
    vector.iter().fold(0xcbf2_9ce4_8422_2325, |hash, number| {
        (hash ^ u64::from(number.to_bits())).wrapping_mul(0x0100_0000_01b3)
    })
}

/// What was computed before is never computed otherwise: another way is another generation.
#[tokio::test]
async fn vectors_that_are_kept_stay_right_for_ever() {
    let expected = [
        ("order placed", 17_926_933_686_081_504_415),
        ("OrderPlaced", 17_926_933_686_081_504_415),
        ("Finds flights and books hotels, in 12 languages.", 18_188_096_577_440_975_533),
        ("Größenänderung ΑΒΓ 東京タワー مرحبا", 13_320_736_938_970_972_851),
        ("", 8_193_282_158_784_919_333),
    ];
    let mut computed = expected;
    for (text, number) in &mut computed {
        *number = fingerprint(&vector(text).await);
    }
    assert_eq!(computed, expected);
    let order = vector("a").await;
    let places: Vec<(usize, f32)> =
        order.iter().copied().enumerate().filter(|(_, number)| *number != 0.0).collect();
    assert_eq!(places, [(183, 0.447_213_6), (191, 0.894_427_2)], "three letters count half of a word");
}

#[tokio::test]
async fn what_shares_words_or_spelling_is_nearer_than_what_does_not() {
    for (asked, near, far) in [
        ("book a flight", "Books flights and hotels for travellers", "Extracts tables from scanned invoices"),
        (
            "invoice tables",
            "Extracts tables from scanned invoices",
            "Books flights and hotels for travellers",
        ),
        ("wether forcast", "weather forecast of a city", "translates texts into German"),
        ("summarise documents", "Summarizes a document in five sentences", "Sends an email to a customer"),
        ("order.placed", "handles OrderPlaced and keeps the stock", "writes poems about the sea"),
        ("Rechnungen prüfen", "prüft eine Rechnung auf Fehler", "sagt das Wetter voraus"),
    ] {
        let (near_by, far_by) = (product(asked, near).await, product(asked, far).await);
        assert!(near_by > far_by + 0.1, "{asked}: {near_by} to '{near}', {far_by} to '{far}'");
    }
}

#[tokio::test]
async fn it_knows_no_meaning() {
    let of_other_words = product("car", "automobile").await;
    assert!(of_other_words.abs() < 0.3, "{of_other_words}");
    assert!(product("this is good", "this is not good").await > 0.6);
}

#[tokio::test]
async fn of_a_long_text_the_beginning_counts() {
    let long = "flight ".repeat(20_000);
    assert_eq!(vector(&long).await, vector(&(long.clone() + "hotel")).await);
}

proptest! {
    #[test]
    fn any_text_has_a_vector_of_length_1_and_always_the_same(text in any::<String>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let vectors = runtime.block_on(async { [vector(&text).await, vector(&text).await] });
        prop_assert_eq!(&vectors[0], &vectors[1]);
        let length: f32 = vectors[0].iter().map(|number| number * number).sum::<f32>().sqrt();
        prop_assert!((length - 1.0).abs() < 1e-5, "{}", length);
    }
}
