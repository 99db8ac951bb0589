//! muniment
fn main() {}
