//! The gallery in a Qdrant server, over gRPC.

mod points;
mod settings;
mod link;

pub use settings::QdrantSettings;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;
use qdrant_client::qdrant::vectors_config::Config;
use qdrant_client::qdrant::{
    DeletePointsBuilder, Distance, PointId, QueryPointsBuilder, ScoredPoint, SearchParamsBuilder,
    UpsertPointsBuilder,
};
use tokio::sync::Mutex;

use self::link::{Fault, Link, if_there};
use self::points::NoHit;
use super::{
    Gallery, GalleryError, GalleryPrint, Hit, MAX_PRINTS, Query, Rotation, check_dim, check_roster, rank,
};
use crate::units::DialedNumber;
use crate::voiceprint::ModelId;

/// How many points travel in one upsert: 256 points of 256 numbers are about 300 KB.
const BATCH: usize = 256;
/// How many hits a search asks for at first; only a larger roster costs a second request.
const PAGE: usize = 1024;
/// How often a roster is put before a collection that goes away meanwhile is an error.
const TRIES: usize = 3;

/// Voiceprints in a Qdrant server, for rosters that outlive this process or do not fit in it.
///
/// One collection for each model (`<prefix>.<model>-<digits>`), made when the first print of the
/// model is put: cosine distance, no global graph (`m = 0`, links only within a number's points), and
/// keyword indexes on the number, which is the tenant, and the model. Every search filters by both and asks for exact
/// scoring. A point's id is computed from what it stands for, so repeating any request changes nothing.
///
/// Writing is meant for one process, the owner of the system of record: within it, replacements take turns, each waiting no
/// longer for its turn than for an answer. A replacement is several requests; a search meanwhile may see a person's old and
/// new state, and after an error (or a dropped future) it has to be repeated until it succeeds.
pub struct QdrantGallery {
    link: Link,
    prefix: String,
    /// By which every vector is turned before it leaves.
    rotation: Option<Rotation>,
    /// The dimension of each collection seen so far.
    dims: RwLock<HashMap<String, usize>>,
    /// Held while a roster is replaced; the collections whose indexes are known to be in place.
    writer: Mutex<HashSet<String>>,
}

impl QdrantGallery {
    /// A gallery in the server that `settings` name. Nothing is sent yet: ask
    /// [`Gallery::ready`] whether the server is there.
    ///
    /// # Errors
    /// [`GalleryError::Settings`] when they cannot be used, or would send the API key unencrypted to
    /// another machine.
    pub fn connect(settings: QdrantSettings) -> Result<Self, GalleryError> {
        Ok(Self {
            link: Link::new(&settings)?,
            prefix: settings.collection,
            rotation: None,
            dims: RwLock::default(),
            writer: Mutex::default(),
        })
    }

    /// The same, with every vector turned before it leaves: collections of its own, and those of the same deployment that
    /// are turned otherwise, or not at all, go when a roster is first put.
    #[must_use]
    pub fn turned_by(self, rotation: Rotation) -> Self {
        let rotation = Some(rotation);
        Self { rotation, ..self }
    }

    /// The collection of a model's prints.
    fn collection_of(&self, model: &ModelId) -> String {
        let name = points::collection_name(&self.prefix, model);
        match &self.rotation {
            None => name,
            Some(rotation) => name + &rotation.name_end(),
        }
    }

    /// A vector as it lies in the server.
    fn turned(&self, vector: &[f32]) -> Vec<f32> {
        match &self.rotation {
            None => vector.to_vec(),
            Some(rotation) => rotation.turned(vector),
        }
    }
}

#[async_trait]
impl Gallery for QdrantGallery {
    async fn replace(&self, number: &DialedNumber, prints: Vec<GalleryPrint>) -> Result<(), GalleryError> {
        let dims = check_roster(&prints)?;
        let mut indexed = self.link.turn("put voiceprints", self.writer.lock()).await?;
        for _ in 1..TRIES {
            match self.put(number, &prints, &dims, &mut indexed).await {
                // Another node, which works with another key while the key is changed, deleted the collection in between.
                Err(Fault::Absent(_)) => {}
                done => return Ok(done?),
            }
        }
        Ok(self.put(number, &prints, &dims, &mut indexed).await?)
    }

    async fn search(&self, query: &Query) -> Result<Vec<Hit>, GalleryError> {
        let collection = self.collection_of(&query.model);
        let Some(dim) = self.known_dim(&collection).await? else {
            return Ok(Vec::new());
        };
        check_dim(&query.model, dim, query.probe.dim())?;

        let mut found = self.query(&collection, query, PAGE).await?;
        if found.len() >= PAGE {
            found = self.query(&collection, query, MAX_PRINTS + 1).await?;
        }
        if found.len() > MAX_PRINTS {
            return Err(GalleryError::TooMany { count: found.len() });
        }
        let mut hits = found
            .iter()
            .map(|point| points::hit(query, point).map_err(|no_hit| self.no_hit(&collection, &no_hit)))
            .collect::<Result<Vec<_>, _>>()?;
        rank(&mut hits);
        Ok(hits)
    }

    async fn drop_others(&self) -> Result<(), GalleryError> {
        let _turn = self
            .link
            .turn("delete old collections", self.writer.lock())
            .await?;
        let found = self.collections().await?;
        self.drop_otherwise_turned(found).await.map(drop)
    }

    /// Lists the collections: unlike Qdrant's own health check, that needs the API key to be right.
    async fn ready(&self) -> Result<(), GalleryError> {
        self.collections().await.map(drop)
    }
}

/// What is read of the collections.
impl QdrantGallery {
    /// The names of this deployment's collections.
    async fn collections(&self) -> Result<Vec<String>, GalleryError> {
        let start = points::name_start(&self.prefix);
        let answer = self
            .link
            .call("list the collections", || self.link.client.list_collections())
            .await?;
        let names = answer.collections.into_iter().map(|collection| collection.name);
        Ok(names.filter(|name| name.starts_with(&start)).collect())
    }

    /// The dimension of a collection, asked for once; `None` when there is no such collection.
    async fn known_dim(&self, collection: &str) -> Result<Option<usize>, GalleryError> {
        let known = self
            .dims
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(collection)
            .copied();
        match known {
            Some(dim) => Ok(Some(dim)),
            None => self.read_dim(collection).await,
        }
    }

    /// The dimension of a collection as the server has it now; `None` when there is no such
    /// collection.
    async fn read_dim(&self, collection: &str) -> Result<Option<usize>, GalleryError> {
        let client = &self.link.client;
        let asked = self
            .link
            .call("describe a collection", || client.collection_info(collection));
        let Some(answer) = if_there(asked.await)? else {
            return Ok(None);
        };
        let params = answer
            .result
            .and_then(|info| info.config?.params?.vectors_config?.config);
        match params {
            Some(Config::Params(params)) if params.distance == Distance::Cosine as i32 => {
                let dim = usize::try_from(params.size).map_err(|_| {
                    self.link
                        .foreign(format!("collection `{collection}` has no usable size"))
                })?;
                self.remember(collection, dim);
                Ok(Some(dim))
            }
            _ => Err(self
                .link
                .foreign(format!("collection `{collection}` is not one cosine space"))),
        }
    }

    /// Up to `limit` points that `query` may be compared with, each scored exactly.
    async fn query(
        &self,
        collection: &str,
        query: &Query,
        limit: usize,
    ) -> Result<Vec<ScoredPoint>, GalleryError> {
        let request = QueryPointsBuilder::new(collection)
            .query(self.turned(query.probe.as_slice()))
            .filter(points::comparable(query))
            .params(SearchParamsBuilder::default().exact(true))
            .limit(limit as u64)
            .with_payload(true)
            .build();
        let client = &self.link.client;
        let asked = self
            .link
            .call("search the gallery", || client.query(request.clone()));
        let Some(answer) = if_there(asked.await)? else {
            // The collection went away since its dimension was read: nobody is in it.
            self.forget(collection);
            return Ok(Vec::new());
        };
        Ok(answer.result)
    }

    fn no_hit(&self, collection: &str, no_hit: &NoHit) -> GalleryError {
        match no_hit {
            NoHit::NotFinite(user) => GalleryError::NotFinite { user: *user },
            NoHit::Field(field) => self.link.foreign(format!(
                "a point of collection `{collection}` was returned whose field `{field}` is not as we write it"
            )),
        }
    }

    fn remember(&self, collection: &str, dim: usize) {
        let mut dims = self.dims.write().unwrap_or_else(PoisonError::into_inner);
        dims.insert(collection.to_owned(), dim);
    }

    fn forget(&self, collection: &str) {
        let mut dims = self.dims.write().unwrap_or_else(PoisonError::into_inner);
        dims.remove(collection);
    }
}

/// What is written into them.
impl QdrantGallery {
    /// Makes `prints` the whole roster of `number`, once through.
    async fn put(
        &self,
        number: &DialedNumber,
        prints: &[GalleryPrint],
        dims: &BTreeMap<&ModelId, usize>,
        indexed: &mut HashSet<String>,
    ) -> Result<(), Fault> {
        let found = self.collections().await?;
        let of_this_turn = self.drop_otherwise_turned(found).await?.into_iter();
        let mut collections: BTreeMap<String, Vec<PointId>> =
            of_this_turn.map(|name| (name, vec![])).collect();
        indexed.retain(|name| collections.contains_key(name));
        for (&model, &dim) in dims {
            let name = self.collection_of(model);
            let exists = collections.contains_key(&name);
            self.prepare(&name, model, dim, exists, indexed).await?;
            collections.entry(name).or_default();
        }

        for batch in prints.chunks(BATCH) {
            self.upsert(number, batch, &mut collections).await?;
        }
        for (collection, kept) in collections {
            self.delete_others(number, collection, kept).await?;
        }
        Ok(())
    }

    /// Sees to it that the model's collection is there, of the right dimension, with its indexes.
    async fn prepare(
        &self,
        collection: &str,
        model: &ModelId,
        dim: usize,
        exists: bool,
        indexed: &mut HashSet<String>,
    ) -> Result<(), Fault> {
        let created = if exists {
            Ok(())
        } else {
            self.link.create(collection, dim).await
        };
        // Read back even after an error: the collection is there when only the answer was lost, or
        // when another process was quicker.
        match self.read_dim(collection).await? {
            Some(found) => check_dim(model, found, dim)?,
            None => created?,
        }
        if !indexed.contains(collection) {
            self.link.create_indexes(collection).await?;
            indexed.insert(collection.to_owned());
        }
        Ok(())
    }

    /// Deletes those of the deployment's collections that are turned otherwise, or not at all; the others.
    async fn drop_otherwise_turned(&self, collections: Vec<String>) -> Result<Vec<String>, GalleryError> {
        let end = self
            .rotation
            .as_ref()
            .map_or_else(String::new, Rotation::name_end);
        let (ours, others): (Vec<_>, Vec<_>) = collections.into_iter().partition(|name| name.ends_with(&end));
        for name in others {
            let client = &self.link.client;
            let deleted = self
                .link
                .call("delete an old collection", || client.delete_collection(&name));
            if_there(deleted.await)?;
        }
        Ok(ours)
    }

    /// Puts a batch, each print into its model's collection, and notes the ids to keep.
    async fn upsert(
        &self,
        number: &DialedNumber,
        batch: &[GalleryPrint],
        collections: &mut BTreeMap<String, Vec<PointId>>,
    ) -> Result<(), Fault> {
        let mut by_collection: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for print in batch {
            let name = self.collection_of(&print.print.model);
            by_collection.entry(name).or_default().push(points::point(
                number,
                print,
                self.turned(print.print.embedding.as_slice()),
            ));
        }
        for (name, points) in by_collection {
            let ids = points.iter().filter_map(|point| point.id.clone());
            collections.entry(name.clone()).or_default().extend(ids);
            let request = UpsertPointsBuilder::new(name, points).wait(true).build();
            let client = &self.link.client;
            self.link
                .call("put voiceprints", || client.upsert_points(request.clone()))
                .await?;
        }
        Ok(())
    }

    /// Deletes the number's points other than `kept` from one collection.
    async fn delete_others(
        &self,
        number: &DialedNumber,
        collection: String,
        kept: Vec<PointId>,
    ) -> Result<(), GalleryError> {
        let request = DeletePointsBuilder::new(collection)
            .points(points::others(number, kept))
            .wait(true)
            .build();
        let client = &self.link.client;
        let deleted = self
            .link
            .call("delete voiceprints", || client.delete_points(request.clone()));
        // A collection that went away since it was listed holds nothing more of the number.
        if_there(deleted.await).map(drop)
    }
}
