"""The tables of an older three-tier system, in both of their forms, with something of everything in them."""

from typing import Literal

Form = Literal["older", "newer"]
"""Without and with the columns `section_id`, `update_count` and `last_updated`; the newer one says less of chunks."""

_TEMPLATE = """
template: {id: project, name: Project}
sections:
  - {id: progress, title: Progress, description: How far the work is}
  - {id: open, description: What is open}
  - {id: later, description: What can wait}
"""
_AS_JSON = '{"template": {"id": "project", "name": "Project"}, "sections": [{"id": "progress", "title": "Progress", "description": "How far the work is"}, {"id": "open", "description": "What is open"}, {"id": "later", "description": "What can wait"}]}'
_SECTIONS = '{"open": {"content": "- The review of the bridge", "update_count": 2}, "progress": {"content": "The draft of the bridge is done.", "update_count": 0, "awake_update_count": 1, "last_updated": "2024-03-05T10:00:00+00:00"}}'


def tables(form: Form) -> list[str]:
    """Makes the tables."""
    newer = form == "newer"
    chunk = "id serial PRIMARY KEY, external_id varchar(255) NOT NULL, content text NOT NULL, embedding vector(64), content_bm25 tsvector, metadata jsonb DEFAULT '{}', created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP"
    order = "" if newer else ", chunk_order int NOT NULL DEFAULT 0"
    scores = (
        ", importance real DEFAULT 0.5, last_updated timestamp, access_count int DEFAULT 0"
        if newer
        else ", confidence_score real DEFAULT 0.5, importance_score real DEFAULT 0.5, end_date timestamp"
    )
    return [
        f"CREATE TABLE active_memory (id serial PRIMARY KEY, external_id varchar(255) NOT NULL, title varchar(500) NOT NULL, template_content {'jsonb' if newer else 'text'} NOT NULL, sections jsonb DEFAULT '{{}}', metadata jsonb DEFAULT '{{}}', created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, updated_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP)",
        f"CREATE TABLE shortterm_memory (id serial PRIMARY KEY, external_id varchar(255) NOT NULL, title varchar(500) NOT NULL, summary text, metadata jsonb DEFAULT '{{}}'{', update_count int DEFAULT 0' if newer else ''}, created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, last_updated timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP)",
        f"CREATE TABLE shortterm_memory_chunk ({chunk}{order}, shortterm_memory_id int NOT NULL REFERENCES shortterm_memory ON DELETE CASCADE{', section_id text' if newer else ''})",
        f"CREATE TABLE longterm_memory_chunk ({chunk}{order}, shortterm_memory_id int, start_date timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP{scores})",
    ]


def filled(form: Form) -> list[str]:
    """Makes the tables, and fills them with what two tenants have."""
    newer = form == "newer"
    section, its = (", section_id", ", 'progress'") if newer else ("", "")
    return [
        *tables(form),
        f"INSERT INTO active_memory (external_id, title, template_content, sections, metadata, created_at, updated_at) VALUES ('agent-7', 'Project', $t${_AS_JSON if newer else _TEMPLATE}$t$, $s${_SECTIONS}$s$, '{{\"owner\": \"Ada\"}}', '2024-03-01 09:00', '2024-03-06 09:00'), ('agent-8', 'Project', $t${_AS_JSON if newer else 'no: [template'}$t$, '{{\"progress\": {{\"content\": \"Nothing of the tunnel is done.\", \"update_count\": 1}}}}', NULL, '2024-03-02 09:00', '2024-03-02 09:00'), ('agent-7', 'Project', $t${_AS_JSON if newer else _TEMPLATE}$t$, '{{\"progress\": {{\"content\": \"A second one of that title.\"}}}}', '{{}}', '2024-03-03 09:00', '2024-03-03 09:00')",
        f"INSERT INTO shortterm_memory (external_id, title, summary{', update_count' if newer else ''}, created_at) VALUES ('agent-7', 'Project', 'Of the bridge'{', 3' if newer else ''}, '2024-03-02 09:00'), ('agent-8', 'Gone'{', NULL' if True else ''}{', 0' if newer else ''}, '2024-03-02 09:00')",
        f"INSERT INTO shortterm_memory_chunk (external_id, shortterm_memory_id, content, metadata, created_at{section}) VALUES ('agent-7', 1, 'The bridge is drawn by Grace.', '{{\"section_id\": \"progress\"}}', '2024-03-04 09:00'{its}), ('agent-7', 1, 'The bridge has \"two\" lanes, {{not}} three.', '{{}}', '2024-03-04 09:00'{', NULL' if newer else ''}), ('agent-8', 2, 'The tunnel is drawn by Alan.', NULL, '2024-03-04 09:00'{', NULL' if newer else ''})",
        f"INSERT INTO longterm_memory_chunk (external_id, shortterm_memory_id, content, start_date{', importance, last_updated' if newer else ', importance_score, confidence_score, end_date'}) VALUES ('agent-7', 1, 'The bridge is of steel.', '2023-01-01 00:00', 0.75{', ' + repr('2024-01-01 00:00') if newer else ', 0.9, NULL'}), ('agent-7', NULL, 'The bridge is of wood.', '2022-01-01 00:00', 0.5{', NULL' if newer else ', 0.5, ' + repr('2023-01-01 00:00')})",
    ]
