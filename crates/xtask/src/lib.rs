//! The rules of the repository, each with its reason, and the pages that are generated from the code.

pub mod catalogue;
pub mod files;
pub mod layers;
pub mod matrix;
pub mod pages;
pub mod rules;
pub mod sources;
pub mod tidy;
pub mod words;
