//! Numbers that stand for texts, the same in every process and version: they are written down, and nodes agree on them.

/// FNV-1a (<http://www.isthe.com/chongo/tech/comp/fnv/>) over parts, each with its end.
pub(super) fn fingerprint(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// In how many parts the keys of a tenant are locked: enough that two who write seldom want the same, few enough that a batch does not fill the server's table of locks.
const STRIPES: u64 = 64;

/// The lock of a place that has a key.
pub(super) fn lock(tenant: &str, place: &[&str]) -> i64 {
    let tenant = fingerprint(&["memory", tenant]) / STRIPES * STRIPES;
    (tenant + fingerprint(place) % STRIPES).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_stays_what_it_was() {
        assert_eq!(fingerprint(&[]), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint(&["acme", "x"]), 0x8461_8b70_7c35_a565);
        assert_ne!(fingerprint(&["a", "bc"]), fingerprint(&["ab", "c"]));
    }

    #[test]
    fn a_tenant_has_so_many_locks_and_no_more() {
        let locks: std::collections::BTreeSet<_> =
            (0..10_000).map(|nth| lock("acme", &[&format!("key-{nth}")])).collect();
        assert_eq!(u64::try_from(locks.len()), Ok(STRIPES));
        assert_ne!(lock("acme", &["a"]), lock("globex", &["a"]));
    }
}
