//! Tests of sets of vectors, from outside.
#[cfg(test)]
mod it {
    mod edges;
    mod like_real;
    mod model;
    mod recall;
}
