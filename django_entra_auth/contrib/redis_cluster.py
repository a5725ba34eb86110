"""Redis Cluster behind django-redis: a connection factory to name in the cache's OPTIONS."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from django_redis.pool import ConnectionFactory  # type: ignore[import-untyped]
from redis.cluster import RedisCluster

_clusters: dict[str, RedisCluster] = {}
_lock = threading.Lock()


class SpreadRedisCluster(RedisCluster):
    """A cluster that reads keys of several slots at once; each node is asked for its own."""

    def mget(self, keys: Any, *args: Any) -> Any:
        """Read several keys, in one round trip for each slot they are in."""
        return self.mget_nonatomic(keys, *args)


class ClusterConnectionFactory(ConnectionFactory):  # type: ignore[misc]
    """One cluster client for each address and process; it finds the other nodes by itself.

    OPTIONS are django-redis's own: SOCKET_TIMEOUT, SOCKET_CONNECT_TIMEOUT, USERNAME, PASSWORD, and
    in CONNECTION_POOL_KWARGS whatever else `redis.cluster.RedisCluster` takes.
    """

    def connect(self, url: str) -> Any:
        """The cluster behind the address of any of its nodes; asks that node at first use."""
        with _lock:
            if url not in _clusters:
                _clusters[url] = _build_cluster(self.make_connection_params(url), self.options)
            return _clusters[url]

    def disconnect(self, connection: Any) -> None:
        """Close what is open; the next command opens it again."""
        connection.disconnect_connection_pools()


def _build_cluster(params: Mapping[str, Any], options: Mapping[str, Any]) -> RedisCluster:
    members = {**params, **options.get("CONNECTION_POOL_KWARGS", {})}
    members.pop("parser_class", None)  # a cluster has one of its own
    return SpreadRedisCluster.from_url(members.pop("url"), **members)
