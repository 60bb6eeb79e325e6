//! Pipeline file, environment, lock and the run from manifests to output.
