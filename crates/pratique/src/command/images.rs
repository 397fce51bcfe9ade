//! `pratique images`: the images whose packages are watched.

mod add;
mod row;
mod show;

use pratique_model::Release;
use pratique_store::{Access, Database, ImageFilter, ImageKey, StoredImage};

use crate::args::{
    ImagesArguments, ImagesCommand, ImagesListArguments, ImagesRemoveArguments, ListFormat,
};
use crate::columns::Columns;
use crate::database;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::say::{self, say};

/// How many images of one name are listed when it means several.
const NAMESAKES_SHOWN: usize = 10;

/// Runs the command.
pub(crate) fn run(arguments: &ImagesArguments) -> Result<Exit, Failure> {
    match &arguments.command {
        ImagesCommand::Add(arguments) => add::run(arguments),
        ImagesCommand::List(arguments) => list(arguments),
        ImagesCommand::Show(arguments) => show::run(arguments),
        ImagesCommand::Remove(arguments) => remove(arguments),
    }
}

fn list(arguments: &ImagesListArguments) -> Result<Exit, Failure> {
    let filter = ImageFilter {
        has_problems: arguments.problems,
        release: arguments.release.as_deref().map(release),
    };
    let database = arguments.list.database.open_to_read()?;
    let after = arguments.after.map(ImageKey);
    let limit = arguments.limit.saturating_add(1);
    let mut images = database.images(&filter, after, limit).map_err(database::failed)?;
    let is_cut = images.len() > arguments.limit;
    images.truncate(arguments.limit);
    match arguments.list.format {
        ListFormat::Json => json::print(&images.iter().map(row::of).collect::<Vec<_>>())?,
        ListFormat::Table if images.is_empty() => {
            say!("no images; `pratique scan IMAGE --register` adds one");
        }
        ListFormat::Table => say::print(table(&images))?,
    }
    if let Some(last) = images.last().filter(|_| is_cut) {
        eprintln!("more follow: --after {}", last.key.0);
    }
    Ok(Exit::Clean)
}

/// `debian:12`, or a distribution without versions: `wolfi`.
fn release(text: &str) -> Release {
    let (id, version) = text.split_once(':').unwrap_or((text, ""));
    Release::new(id, version)
}

fn table(images: &[StoredImage]) -> String {
    let heads = ["IMAGE", "DIGEST", "PLATFORM", "RELEASE", "PACKAGES", "LAST SEEN", "STATE"];
    let mut columns = Columns::new(&heads);
    for image in images {
        columns.row(vec![
            image.reference.clone(),
            row::short_digest(image),
            image.platform.as_ref().map(ToString::to_string).unwrap_or_default(),
            image.release.as_ref().map(ToString::to_string).unwrap_or_default(),
            image.package_count.to_string(),
            image.last_seen_at.strftime("%Y-%m-%d").to_string(),
            row::state(image),
        ]);
    }
    columns.to_text()
}

fn remove(arguments: &ImagesRemoveArguments) -> Result<Exit, Failure> {
    let store = arguments.database.store()?;
    let mut database = database::open(&store, Access::ReadWrite)?;
    let mut images: Vec<StoredImage> = Vec::new();
    for name in &arguments.images {
        let image = only(&database, name)?;
        if images.iter().all(|other| other.key != image.key) {
            images.push(image);
        }
    }
    for image in images {
        database.remove_image(image.key).map_err(database::failed)?;
        say!("{} ({}): forgotten", image.reference, row::short_digest(&image));
    }
    Ok(Exit::Clean)
}

/// The one image that a text names.
fn only(database: &Database, name: &str) -> Result<StoredImage, Failure> {
    let mut images = database.images_named(name, NAMESAKES_SHOWN).map_err(database::failed)?;
    if images.len() > 1 {
        let digests: Vec<String> = images.iter().map(|image| image.digest.to_string()).collect();
        let error = anyhow::anyhow!("{name:?} means several images: {}", digests.join(", "));
        return Err(Failure::new(Exit::Usage, error).hint("name one by its digest"));
    }
    images.pop().ok_or_else(|| {
        Failure::new(Exit::NotFound, anyhow::anyhow!("{name:?}: no such image"))
            .hint("`pratique images list` shows them")
    })
}
