//! Built-in plugin: turns production hosts and namespaces into a review environment's.
