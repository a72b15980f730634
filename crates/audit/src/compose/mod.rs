//! Compose's model, for looking at: several files merged by Compose's rules, with the place of every value kept. What
//! is *applied* to a stack is always asked of Compose itself.

mod canonical;
mod loading;
mod merging;
pub mod service;
mod variables;

pub use loading::{Loaded, Loading};
pub use service::{Mount, Port, Service};
pub use variables::{Setting, Variables};

use std::rc::Rc;

use crate::yaml::Node;

/// A merged project.
#[derive(Debug, Clone)]
pub struct Model {
    /// The whole tree: `services`, `volumes`, `networks`, `secrets`, `configs`.
    pub root: Rc<Node>,
}

impl Model {
    /// The services, in the order of the files.
    #[must_use]
    pub fn services(&self) -> Vec<Service> {
        let services = self.root.get("services").map(|node| node.entries()).unwrap_or_default();
        services
            .iter()
            .map(|entry| Service {
                name: entry.key.clone(),
                name_span: entry.key_span,
                node: Rc::clone(&entry.value),
            })
            .collect()
    }
}
