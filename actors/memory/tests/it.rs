//! Memory over a store in memory, under paused time.

#[cfg(test)]
mod it {
    pub(crate) mod world;

    mod bounds;
    mod conflicts;
    mod crashes;
    mod embedding;
    mod episodic;
    mod procedural;
    mod random;
    mod recall;
    mod semantic;
    mod tenancy;
    mod upkeep;
    mod watching;
    mod work;
    mod working;
}
