//! Tests of the log in a file.
#[cfg(test)]
mod it {
    mod contract;
    mod differential;
    mod full;
    mod handing_back;
    mod kill;
    mod opening;
    mod retention;
    mod world;
}
