//! The settings of transforms, held against what their plugins say they take.

use crate::descriptor::Descriptor;
use crate::problem::Problem;
use crate::render::Run;

impl Run<'_> {
    /// Holds the settings of all transforms against what their plugins say they take.
    pub(super) fn check_settings(&mut self) {
        for (index, transform) in self.of.pipeline.transforms_in(&self.of.environment.name) {
            let name = transform.plugin.as_str();
            let Some(prepared) = self.of.plugins.0.get(name) else { continue };
            let limits = transform.limits.clone().unwrap_or_default();
            let checked = (self.of.runtime.descriptor(&prepared.plugin, &limits))
                .map_err(Problem::from)
                .and_then(|text| {
                    let fault =
                        |told: String| Problem::new("plugin-fault", format!("the plugin {told}")).by(name);
                    let descriptor = Descriptor::parse(&text).map_err(fault)?;
                    if descriptor.per_object {
                        self.per_object.insert(name.to_owned());
                    }
                    descriptor.check(&transform.config).map_err(fault)
                });
            match checked {
                Ok(wrong) => self.report.problems.extend(wrong.into_iter().map(|(pointer, message)| {
                    let place = format!("transforms[{index}].config{}", pointer.replace('/', "."));
                    Problem::new("config", format!("{place}: {message}")).by(name)
                })),
                Err(problem) => self.report.problems.push(problem),
            }
        }
    }
}
