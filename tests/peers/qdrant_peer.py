"""A Qdrant server for the tests: Qdrant's own gRPC interface in front of Qdrant's own engine.

The interface is the servicer classes of the `qdrant-client` package, the engine (segments, payload
indexes, filtering, scoring) is `qdrant-edge-py`; this file only joins them. So Voxline's Rust client
is tested over the wire, against the scoring and filtering it will meet, without a server binary.

It speaks what our client uses. Every other call answers UNIMPLEMENTED, and so does every part of a
request that it would have to ignore: a test must not pass because the peer looked away.

    python qdrant_peer.py DIRECTORY [--api-key KEY]

It makes DIRECTORY for its data, listens on a free port of 127.0.0.1 and prints that port on a line.
When its stdin closes it removes DIRECTORY and exits.
"""

import argparse
import shutil
import sys
import threading
from concurrent import futures
from pathlib import Path

import grpc as rpc
import qdrant_edge as edge
from qdrant_client import grpc
from qdrant_client.conversions.conversion import grpc_to_payload, payload_to_grpc


class Refusal(Exception):
    """A request that is answered with a gRPC status instead of a result."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def unimplemented(what):
    return Refusal(rpc.StatusCode.UNIMPLEMENTED, f"this peer does not implement {what}")


def only(message, *allowed):
    """Refuses a message that sets a field this peer would have to ignore."""
    for field, _ in message.ListFields():
        if field.name not in allowed:
            raise unimplemented(f"{message.DESCRIPTOR.name}.{field.name}")


class Collection:
    """One collection: an engine shard in its own directory, and the request that made it."""

    def __init__(self, directory, request):
        only(request, "collection_name", "vectors_config", "hnsw_config")
        only(request.vectors_config, "params")
        only(request.vectors_config.params, "size", "distance")
        only(request.hnsw_config, "m", "payload_m")
        self.params = request.vectors_config.params
        self.hnsw = request.hnsw_config
        if self.params.distance != grpc.Distance.Cosine:
            raise unimplemented("distances other than cosine")
        self.shard = edge.EdgeShard.create(
            str(directory),
            edge.EdgeConfig(
                vectors=edge.EdgeVectorParams(size=self.params.size, distance=edge.Distance.Cosine),
                # The two values that are not in the request are the server's defaults.
                hnsw_config=edge.HnswIndexConfig(
                    m=self.hnsw.m, payload_m=self.hnsw.payload_m, ef_construct=100, full_scan_threshold=10000
                ),
            ),
        )


class Peer:
    """All collections, behind one lock: the tests ask for answers, not for speed."""

    def __init__(self, directory):
        self.directory = directory
        self.collections = {}
        self.made = 0
        self.lock = threading.Lock()

    def find(self, name):
        if name not in self.collections:
            raise Refusal(rpc.StatusCode.NOT_FOUND, f"Not found: Collection `{name}` doesn't exist!")
        return self.collections[name]

    # Collections

    def create(self, request):
        name = request.collection_name
        if name in self.collections:
            raise Refusal(rpc.StatusCode.ALREADY_EXISTS, f"Collection `{name}` already exists!")
        self.made += 1
        self.collections[name] = Collection(self.directory / str(self.made), request)
        return grpc.CollectionOperationResponse(result=True)

    def delete_collection(self, request):
        only(request, "collection_name")
        collection = self.collections.pop(request.collection_name, None)
        if collection is not None:
            collection.shard.close()
        return grpc.CollectionOperationResponse(result=collection is not None)

    def list(self, _request):
        names = [grpc.CollectionDescription(name=name) for name in sorted(self.collections)]
        return grpc.ListCollectionsResponse(collections=names)

    def describe(self, request):
        collection = self.find(request.collection_name)
        schema = {
            field: grpc.PayloadSchemaInfo(
                data_type=grpc.PayloadSchemaType.Keyword,
                params=grpc.PayloadIndexParams(
                    keyword_index_params=grpc.KeywordIndexParams(is_tenant=bool(index.params.is_tenant))
                ),
                points=index.points,
            )
            for field, index in collection.shard.info().payload_schema.items()
        }
        params = grpc.CollectionParams(vectors_config=grpc.VectorsConfig(params=collection.params))
        return grpc.GetCollectionInfoResponse(
            result=grpc.CollectionInfo(
                status=grpc.CollectionStatus.Green,
                config=grpc.CollectionConfig(params=params, hnsw_config=collection.hnsw),
                payload_schema=schema,
                points_count=collection.shard.info().points_count,
            )
        )

    # Points

    def create_field_index(self, request):
        only(request, "collection_name", "wait", "field_name", "field_type", "field_index_params")
        only(request.field_index_params, "keyword_index_params")
        params = request.field_index_params.keyword_index_params
        only(params, "is_tenant")
        if request.field_type != grpc.FieldType.FieldTypeKeyword:
            raise unimplemented("indexes other than of keywords")
        index = edge.KeywordIndexParams(is_tenant=params.is_tenant)
        return self.update(request, edge.UpdateOperation.create_field_index(request.field_name, index))

    def upsert(self, request):
        only(request, "collection_name", "wait", "points")
        points = [
            edge.Point(point.id.uuid, dense(point.vectors), grpc_to_payload(point.payload))
            for point in request.points
        ]
        return self.update(request, edge.UpdateOperation.upsert_points(points))

    def delete(self, request):
        only(request, "collection_name", "wait", "points")
        only(request.points, "filter")
        chosen = to_filter(request.points.filter)
        return self.update(request, edge.UpdateOperation.delete_points_by_filter(chosen))

    def update(self, request, operation):
        if not request.wait:
            raise unimplemented("writing without waiting")
        self.find(request.collection_name).shard.update(operation)
        return grpc.PointsOperationResponse(result=grpc.UpdateResult(status=grpc.UpdateStatus.Completed))

    def query(self, request):
        only(request, "collection_name", "query", "filter", "params", "limit", "with_payload")
        only(request.query, "nearest")
        only(request.query.nearest, "dense")
        only(request.params, "exact")
        found = self.find(request.collection_name).shard.query(
            edge.QueryRequest(
                query=edge.Query.Nearest(list(request.query.nearest.dense.data)),
                filter=to_filter(request.filter),
                params=edge.SearchParams(exact=request.params.exact),
                limit=request.limit,
                with_payload=request.with_payload.enable,
            )
        )
        return grpc.QueryResponse(result=[scored(point) for point in found])


def dense(vectors):
    only(vectors, "vector")
    only(vectors.vector, "dense")
    return list(vectors.vector.dense.data)


def to_filter(message):
    only(message, "must", "must_not")
    return edge.Filter(
        must=[to_condition(condition) for condition in message.must],
        must_not=[to_condition(condition) for condition in message.must_not],
    )


def to_condition(message):
    if message.HasField("has_id"):
        return edge.HasIdCondition({point.uuid for point in message.has_id.has_id})
    only(message, "field")
    only(message.field, "key", "match")
    only(message.field.match, "keyword")
    return edge.FieldCondition(message.field.key, match=edge.MatchValue(message.field.match.keyword))


def scored(point):
    return grpc.ScoredPoint(
        id=grpc.PointId(uuid=str(point.id)),
        score=point.score,
        version=point.version,
        payload=payload_to_grpc(point.payload or {}),
    )


def answering(peer, method):
    """A gRPC method around one of the peer's: one call at a time, failures as statuses."""

    def answer(_servicer, request, context):
        try:
            with peer.lock:
                return method(request)
        except Refusal as refusal:
            context.abort(refusal.code, str(refusal))
        except Exception as error:  # the engine raises bare `Exception` for what a request got wrong
            context.abort(rpc.StatusCode.INVALID_ARGUMENT, f"Wrong input: {error}")

    return answer


class ApiKey(rpc.ServerInterceptor):
    """Lets nobody in without the key."""

    def __init__(self, key):
        self.key = key

    def intercept_service(self, continuation, details):
        if dict(details.invocation_metadata).get("api-key") == self.key:
            return continuation(details)

        def refuse(_request, context):
            context.abort(rpc.StatusCode.UNAUTHENTICATED, "Must provide an API key")

        return rpc.unary_unary_rpc_method_handler(refuse)


def serve(peer, api_key):
    interceptors = [ApiKey(api_key)] if api_key else []
    workers = futures.ThreadPoolExecutor(max_workers=4)
    # No bound on the size of a message, like the server's.
    sizes = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = rpc.server(workers, interceptors=interceptors, options=sizes)
    collections = {
        "Create": peer.create,
        "Delete": peer.delete_collection,
        "List": peer.list,
        "Get": peer.describe,
    }
    points = {
        "CreateFieldIndex": peer.create_field_index,
        "Upsert": peer.upsert,
        "Delete": peer.delete,
        "Query": peer.query,
    }

    def servicer(base, methods):
        # The base class answers UNIMPLEMENTED to every method that is not overridden.
        return type(base.__name__, (base,), {name: answering(peer, run) for name, run in methods.items()})()

    grpc.add_CollectionsServicer_to_server(servicer(grpc.CollectionsServicer, collections), server)
    grpc.add_PointsServicer_to_server(servicer(grpc.PointsServicer, points), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--api-key", help="refuse every request that does not carry this key")
    parser.add_argument("directory", type=Path, help="where to keep the data; must not exist yet")
    arguments = parser.parse_args()

    arguments.directory.mkdir()
    try:
        server, port = serve(Peer(arguments.directory), arguments.api_key)
        print(port, flush=True)
        sys.stdin.read()
        server.stop(grace=None).wait()
    finally:
        shutil.rmtree(arguments.directory, ignore_errors=True)


if __name__ == "__main__":
    main()
