//! The end of taking a point: sealed, read back, and only then visible.

use std::ffi::OsStr;
use std::sync::Arc;

use eclusa_fault::{Fault, Message, Result};
use eclusa_model::PointId;
use eclusa_ports::PointManifest;
use rustic_core::repofile::{NodeType, SnapshotFile, StringList};

use crate::files::RepositoryFiles;
use crate::point::{self, MANIFEST, TAG};
use crate::repository::Indexed;
use crate::seal::{Corrections, Seal};
use crate::take::{failed, indexed};
use crate::{verify, walk};

/// A point whose data are in the repository, but which nobody can see yet.
pub(crate) struct Finishing {
    pub(crate) repository: Indexed,
    pub(crate) backend: Arc<dyn RepositoryFiles>,
    pub(crate) snapshot: SnapshotFile,
    pub(crate) manifest: PointManifest,
}

impl Finishing {
    fn failed(&self, problem: impl std::fmt::Display) -> Fault {
        failed(&self.manifest.tenant, problem)
    }

    pub(crate) fn finish(mut self, corrections: Corrections, mark: &str) -> Result<PointManifest> {
        let text = serde_json::to_vec(&self.manifest)
            .map_err(|error| self.failed("its manifest cannot be written").because(error))?;
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let node = walk::made_node(OsStr::new(MANIFEST), NodeType::File, self.manifest.taken_at, length);
        self.snapshot.tree = Seal { corrections, manifest: node, text }
            .write(&self.repository, self.backend.as_ref(), &self.repository.key(), self.snapshot.tree)
            .map_err(|problem| self.failed("its manifest cannot be written").because(problem))?;
        eclusa_crash::point("vault.take.sealed");
        self.repository = indexed(self.repository, &self.manifest.tenant)?;
        let tops = self.check()?;
        eclusa_crash::point("vault.take.checked");
        self.publish(tops, mark)
    }

    /// What was written reads back otherwise: what an earlier point had kept already, and this one therefore did not
    /// write again, is damaged. No later point is any better, so the way out is a new repository.
    fn damaged(&self, problem: impl std::fmt::Display) -> Fault {
        let hint = Message::new("hint-vault-damaged").with("path", self.backend.location());
        self.failed(problem).hint(hint)
    }

    /// Reads back what the point lists and finds all of its data in the index; the names at its top.
    fn check(&self) -> Result<Vec<String>> {
        let (nodes, _) =
            point::nodes(&self.repository, self.snapshot.tree).map_err(|problem| self.damaged(problem))?;
        let by_text = nodes.iter().map(|(path, node)| (walk::text_of(path), node)).collect();
        if let Some(problem) = verify::compare(&self.manifest, &by_text).into_iter().next() {
            return Err(self.damaged(problem));
        }
        for (path, node) in nodes.iter().filter(|(_, node)| node.is_file()) {
            point::Content::of(&self.repository, node)
                .map_err(|error| self.damaged(format!("{} was not kept", path.display())).because(error))?;
        }
        Ok(nodes
            .keys()
            .filter(|path| path.components().count() == 1)
            .map(|path| walk::text_of(path))
            .collect())
    }

    /// Writes the snapshot: from now on the point is listed.
    fn publish(mut self, tops: Vec<String>, mark: &str) -> Result<PointManifest> {
        self.snapshot.tags.add(TAG.to_owned());
        self.snapshot.tags.add(point::tag_of_mark(mark));
        if let Some(run) = &self.manifest.run {
            self.snapshot.tags.add(format!("run:{run}"));
        }
        self.snapshot.paths = StringList::default();
        for top in tops {
            self.snapshot.paths.add(format!("/{top}"));
        }
        self.backend.publish_snapshots();
        self.repository
            .save_snapshots(vec![self.snapshot.clone()])
            .map_err(|error| self.failed("the snapshot cannot be written").because(error.display_log()))?;
        eclusa_crash::point("vault.take.published");
        let id = self.backend.published().ok_or_else(|| self.failed("no snapshot was written"))?;
        self.manifest.id = Some(PointId::new(id.to_hex().as_str()).map_err(|error| self.failed(error))?);
        Ok(self.manifest)
    }
}
