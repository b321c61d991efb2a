use soorma_ports::Entropy;
use soorma_testkit::SeededEntropy;

#[test]
fn it_gives_the_published_values_of_splitmix64() {
    let entropy = SeededEntropy::new(1_234_567);
    let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423_u64];
    assert_eq!([entropy.next_u64(), entropy.next_u64(), entropy.next_u64()], expected);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let bytes = |seed| {
        let mut buffer = [0; 37];
        SeededEntropy::new(seed).fill(&mut buffer);
        buffer
    };
    assert_eq!(bytes(7), bytes(7));
    assert_ne!(bytes(7), bytes(8));
}
