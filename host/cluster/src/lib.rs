//! Where objects meet a cluster: the order in which they are applied.
