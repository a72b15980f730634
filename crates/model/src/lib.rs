//! L0: what a deployment is made of: tenants, releases, observations, ids, fingerprints.

mod fingerprint;
mod ids;
mod observation;
mod release;
mod tenant;

pub use fingerprint::{Fingerprint, FingerprintKey};
pub use ids::{
    IllegalName, PersonName, PlanDigest, PointId, RunId, ServiceName, StackName, StepName, TenantName,
};
pub use observation::{
    CandidateObservation, DiskObservation, EdgeObservation, Health, LeaseObservation, MaintenanceOwner,
    OBSERVATION_FORMAT, Observation, ServiceObservation, ServiceState, SiteObservation, TenantObservation,
};
pub use release::{AppVersion, ImagePin, Release, ReleaseSource};
pub use tenant::{
    AppKind, DatabaseEngine, DatabasePlace, Environment, FilesPlace, RuntimeKind, ServiceRole, Tenant,
};
