//! The services of a stack by what a release does with them.

use eclusa_config::Stack;
use eclusa_model::ServiceName;

/// The services of a stack, each named once.
#[derive(Clone)]
pub(crate) struct Services {
    pub frontend: Option<ServiceName>,
    pub web: Vec<ServiceName>,
    pub workers: Vec<ServiceName>,
    pub schedulers: Vec<ServiceName>,
}

impl Services {
    /// Those that Eclusa starts and stops.
    pub(crate) fn of(stack: &Stack) -> Self {
        let roles = &stack.services;
        let own = |names: &[ServiceName]| -> Vec<ServiceName> {
            names.iter().filter(|name| stack.starts(name)).cloned().collect()
        };
        let web = own(&roles.web);
        let frontend =
            roles.frontend.clone().filter(|frontend| !web.contains(frontend) && stack.starts(frontend));
        Self { frontend, web, workers: own(&roles.workers), schedulers: own(&roles.schedulers) }
    }

    /// Those that answer requests, the frontend last: it is started when what it passes requests to is there.
    pub(crate) fn serving(&self) -> Vec<ServiceName> {
        self.web.iter().chain(&self.frontend).cloned().collect()
    }

    /// Those that run between closing and opening: all but the schedulers.
    pub(crate) fn working(&self) -> Vec<ServiceName> {
        self.web.iter().chain(&self.workers).chain(&self.frontend).cloned().collect()
    }

    /// Everything that runs the application's code, and the frontend.
    pub(crate) fn all(&self) -> Vec<ServiceName> {
        self.web.iter().chain(&self.workers).chain(&self.schedulers).chain(&self.frontend).cloned().collect()
    }
}
