"""The entity graph, read from PostgreSQL or Neo4j, and its projection into Neo4j.

Nothing here imports Neo4j's driver before it is used: the extra `neo4j` is only needed for a Neo4j.
"""

from langgraph_agentmem.models.graph import (
    DeadLetter,
    Difference,
    GraphEntity,
    GraphPath,
    GraphRelationship,
    Neighborhood,
    ProjectionReport,
    ProjectionStatus,
    VerifyReport,
)
from langgraph_agentmem.projection.graph import Graph, PostgresGraph
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase
from langgraph_agentmem.projection.neo4j_graph import Neo4jGraph
from langgraph_agentmem.projection.projector import GraphProjector

__all__ = [
    "DeadLetter",
    "Difference",
    "Graph",
    "GraphEntity",
    "GraphPath",
    "GraphProjector",
    "GraphRelationship",
    "Neighborhood",
    "Neo4jDatabase",
    "Neo4jGraph",
    "PostgresGraph",
    "ProjectionReport",
    "ProjectionStatus",
    "VerifyReport",
]
