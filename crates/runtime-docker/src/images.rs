//! Images and pins: what was pulled is pinned by digest; what was built has none and is pinned by a tag of ours,
//! derived from its id, which also keeps it from being pruned.

use std::collections::BTreeMap;

use bollard::models::ImageInspect;
use bollard::query_parameters::{RemoveImageOptionsBuilder, TagImageOptionsBuilder};
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{ImagePin, Release, ReleaseSource, ServiceName};
use eclusa_runbook::Outputs;

use crate::engine::{is_missing, status};
use crate::observe::Containers;
use crate::runtime::ComposeRuntime;

/// The first part of every reference that Eclusa makes.
const OURS: &str = "eclusa/";

/// How many digits of an id or a commit stand in a tag.
pub(crate) const SHORT: usize = 12;

impl ComposeRuntime {
    /// An image of this engine.
    pub(crate) async fn image(&self, reference: &str) -> Result<Option<ImageInspect>> {
        match self.engine.docker().await?.inspect_image(reference).await {
            Ok(image) => Ok(Some(image)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.engine.fault("looking at an image", &error)),
        }
    }

    /// Whether every image of a release is here: by its pins, or, before it was prepared, by the tag that a build of
    /// its commit leaves.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn image_present(&self, release: &Release) -> Result<bool> {
        if !release.images.is_empty() {
            for pin in release.images.values() {
                if self.image(&pin.id).await?.is_none() {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        let model = self.base_model().await?;
        match &release.source {
            ReleaseSource::Git { commit } => {
                let built = model.services.iter().filter(|(_, service)| service.build.is_some());
                let mut any = false;
                for (name, _) in built {
                    let reference = self.build_reference(name, commit).await?;
                    any |= self.image(&reference).await?.is_some();
                }
                Ok(any)
            }
            ReleaseSource::Image { variable } => {
                let wanted = self.model_with(variable, &release.name).await?;
                for service in self.released_services(&model).await? {
                    let reference = wanted.image(service.as_str()).unwrap_or_default();
                    if self.image(&reference).await?.is_none() {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            ReleaseSource::Directory { .. } | ReleaseSource::Bench { .. } | ReleaseSource::Found => Ok(false),
        }
    }

    /// The tag of ours that keeps an image of a service.
    pub(crate) async fn keep_reference(&self, service: &ServiceName, id: &str) -> Result<String> {
        Ok(format!("{}:sha-{}", self.repository(service.as_str()).await?, short(id)))
    }

    /// The tag that the build of a commit gives to a service's image.
    pub(crate) async fn build_reference(&self, service: &str, commit: &str) -> Result<String> {
        Ok(format!("{}:{}", self.repository(service).await?, short(commit)))
    }

    async fn repository(&self, service: &str) -> Result<String> {
        Ok(format!("{OURS}{}", repository_part(&format!("{}-{service}", self.project().await?))))
    }

    /// Gives an image a tag of ours.
    pub(crate) async fn keep(&self, id: &str, reference: &str) -> Result<()> {
        let (repository, tag) = reference.rsplit_once(':').unwrap_or((reference, "latest"));
        let options = TagImageOptionsBuilder::new().repo(repository).tag(tag).build();
        let tagged = self.engine.docker().await?.tag_image(id, Some(options)).await;
        eclusa_crash::point("image.tagged");
        tagged.map_err(|error| self.engine.fault("tagging an image", &error))
    }

    /// Keeps the images that services run now, so that there is a way back to them.
    pub(crate) async fn keep_running(&self, services: &[ServiceName], containers: &Containers) -> Result<()> {
        for service in services {
            for container in containers.get(service.as_str()).map_or(&[][..], Vec::as_slice) {
                let Some(id) = &container.image else { continue };
                let reference = self.keep_reference(service, id).await?;
                match self.keep(id, &reference).await {
                    Ok(()) => {}
                    // The image was removed by force while its container runs: nothing can be kept.
                    Err(_) if self.image(id).await?.is_none() => {
                        tracing::warn!(%service, image = id, "the image of a running service is gone");
                    }
                    Err(fault) => return Err(fault),
                }
            }
        }
        Ok(())
    }

    /// Makes sure that a pin's reference is here and means the pinned image.
    pub(crate) async fn ensure_pin(&self, pin: &ImagePin) -> Result<()> {
        let missing = || Fault::new(Code::ImageMissing).with("image", &pin.reference);
        match self.image(&pin.reference).await? {
            Some(image) if image.id.as_ref() == Some(&pin.id) => Ok(()),
            // A tag of ours that means another image, or none: set it right.
            _ if pin.reference.starts_with(OURS) => {
                if self.image(&pin.id).await?.is_none() {
                    return Err(missing().because(format!("no image {} is here", pin.id)));
                }
                self.keep(&pin.id, &pin.reference).await
            }
            Some(_) => Err(missing().because(format!("it is here, but is not {}", pin.id))),
            None => Err(missing()),
        }
    }

    /// Removes tags of ours. An image that a container uses keeps them.
    pub(crate) async fn untag(&self, reference: &str) -> Result<()> {
        if !reference.starts_with(OURS) {
            return Ok(());
        }
        let options = RemoveImageOptionsBuilder::new().force(false).build();
        match self.engine.docker().await?.remove_image(reference, Some(options), None).await {
            Ok(_) => Ok(()),
            Err(error) if is_missing(&error) || status(&error) == Some(409) => Ok(()),
            Err(error) => Err(self.engine.fault("removing an image", &error)),
        }
    }
}

/// A release with its pins: its own, or those that its preparation gave.
pub(crate) fn with_pins(release: &Release, outputs: &Outputs) -> Result<Release> {
    let mut release = release.clone();
    if release.images.is_empty() {
        release.images = pins(outputs)?;
    }
    if release.images.is_empty() {
        return Err(Fault::new(Code::ImageMissing)
            .with("image", &release.name)
            .because("the release was not prepared"));
    }
    Ok(release)
}

fn pins(outputs: &Outputs) -> Result<BTreeMap<ServiceName, ImagePin>> {
    let mut images = BTreeMap::new();
    for (key, id) in outputs {
        let Some(service) = key.strip_prefix("image.") else { continue };
        let Some(reference) = outputs.get(&format!("reference.{service}")) else { continue };
        let built = !reference.contains("@sha256:");
        let pin = ImagePin { reference: reference.clone(), id: id.clone(), built };
        images.insert(crate::observe::service_name(service)?, pin);
    }
    Ok(images)
}

/// The first digits of `sha256:…` or of a commit.
fn short(id: &str) -> String {
    id.trim_start_matches("sha256:").chars().take(SHORT).collect()
}

/// A text as a part of a repository's name: lower case, with single separators between letters and digits.
fn repository_part(text: &str) -> String {
    let mut part = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            part.push(character.to_ascii_lowercase());
        } else if !part.is_empty() && !part.ends_with('-') {
            part.push('-');
        }
    }
    part.trim_end_matches('-').to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn any_service_name_becomes_a_repository() {
        assert_eq!(repository_part("shop-Web_App.1"), "shop-web-app-1");
        assert_eq!(repository_part("_x--y_"), "x-y");
    }

    #[test]
    fn pins_come_from_the_release_or_from_what_prepared_it() {
        let outputs = Outputs::from([
            ("image.web".to_owned(), "sha256:aa".to_owned()),
            ("reference.web".to_owned(), "shop@sha256:bb".to_owned()),
            ("image.worker".to_owned(), "sha256:cc".to_owned()),
            ("reference.worker".to_owned(), "eclusa/shop-worker:sha-cc".to_owned()),
            ("seconds".to_owned(), "3".to_owned()),
        ]);
        let bare = Release { name: "v2".into(), source: ReleaseSource::Found, images: BTreeMap::new() };
        let release = with_pins(&bare, &outputs).unwrap();
        let web = ServiceName::new("web").unwrap();
        let worker = ServiceName::new("worker").unwrap();
        assert!(!release.images[&web].built);
        assert!(release.images[&worker].built);
        assert_eq!(with_pins(&release, &Outputs::new()).unwrap(), release);
        assert_eq!(with_pins(&bare, &Outputs::new()).unwrap_err().code, Code::ImageMissing);
    }
}
