//! Every reference of a rendered environment, looked up.

use lathe_secrets::provider::{Resolver, Surroundings};
use lathe_secrets::reference::Reference;

use crate::file::Pipeline;
use crate::problem::Problem;
use crate::render::Rendered;

/// One reference at one place, and what came of looking it up.
#[derive(Clone, Debug)]
pub struct SecretCheck {
    /// The object that it goes to, as rendered.
    pub object: String,
    /// The field that it goes to.
    pub pointer: String,
    /// What is asked for.
    pub address: String,
    /// Who is asked.
    pub backend: Option<String>,
    /// The version that is there, where the store keeps them.
    pub version: Option<String>,
    /// Why it has no value.
    pub problem: Option<Problem>,
}

impl Rendered {
    /// Looks up every reference that goes to an object of the output. Values are read only from stores that cannot tell names alone.
    pub fn check_secrets(&self, pipeline: &Pipeline, around: &Surroundings<'_>) -> Vec<SecretCheck> {
        let mut resolver = Resolver::new(&pipeline.secrets.providers, around);
        resolver.probe(self.references.iter().map(|(_, _, reference)| reference));
        let check = |(object, pointer, reference): &(String, String, Reference)| {
            let found = resolver.check(reference);
            let problem = found.as_ref().err().map(|why| {
                Problem::new(why.code(), format!("`{}`: {why}", reference.text)).at(object, pointer)
            });
            let found = found.ok();
            SecretCheck {
                object: object.clone(),
                pointer: pointer.clone(),
                address: reference.target.address(),
                backend: found.as_ref().map(|found| found.backend.clone()),
                version: found.and_then(|found| found.version),
                problem,
            }
        };
        self.references.iter().map(check).collect()
    }
}
