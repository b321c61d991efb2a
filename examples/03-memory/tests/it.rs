//! What the README says is what the example prints.
#[cfg(test)]
mod it {
    mod readme;
}
