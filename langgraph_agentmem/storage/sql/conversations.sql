-- name: last_part
-- The last part of the transcript under a namespace: the greatest of the ids that are numbers of its parts.
SELECT s.* FROM agentmem.active_memory a
JOIN agentmem.section s ON s.external_id = %(external_id)s AND s.memory_id = a.id
WHERE a.external_id = %(external_id)s AND a.namespace_hash = hash_array_extended(%(namespace)s::text[], 0)
  AND a.namespace = %(namespace)s AND a.closed_at IS NULL
  AND s.section_id ~ '^[0-9]{6}$'
ORDER BY s.section_id DESC
LIMIT 1

-- name: noted_messages
-- Those of these messages that the transcript under a namespace holds.
SELECT n.message_id FROM agentmem.active_memory a
JOIN agentmem.noted_message n ON n.external_id = %(external_id)s AND n.memory_id = a.id
WHERE a.external_id = %(external_id)s AND a.namespace_hash = hash_array_extended(%(namespace)s::text[], 0)
  AND a.namespace = %(namespace)s AND a.closed_at IS NULL
  AND n.message_id = ANY (%(message_ids)s)

-- name: note_messages
-- Notes which messages a transcript's parts hold.
INSERT INTO agentmem.noted_message (external_id, memory_id, message_id, section_id)
SELECT %(external_id)s, %(memory_id)s, u.message_id, u.section_id
FROM unnest(%(noted_ids)s::text[], %(section_ids)s::text[]) AS u (message_id, section_id)

-- name: transcripts_of
-- The transcripts of a conversation, open ones or all.
SELECT a.id FROM agentmem.active_memory a
WHERE a.external_id = %(external_id)s AND a.metadata ->> 'transcript_of' = %(memory_id)s::text
  AND (%(closed)s OR a.closed_at IS NULL)
ORDER BY a.id

-- name: embedded_in_conversation
-- Hashes of the present chunks of a conversation's sections, and of its transcript's last part, that have a vector of a model.
SELECT c.content_hash FROM agentmem.memory_chunk c
WHERE c.external_id = %(external_id)s AND c.memory_id = %(memory_id)s AND c.current
  AND c.embedding_model = %(embedding_model)s
UNION
SELECT c.content_hash
FROM (SELECT s.memory_id, s.section_id FROM agentmem.active_memory a
      JOIN agentmem.section s ON s.external_id = %(external_id)s AND s.memory_id = a.id
      WHERE a.external_id = %(external_id)s AND a.namespace_hash = hash_array_extended(%(namespace)s::text[], 0)
        AND a.namespace = %(namespace)s AND a.closed_at IS NULL
        AND s.section_id ~ '^[0-9]{6}$'
      ORDER BY s.section_id DESC
      LIMIT 1) p
JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.memory_id = p.memory_id AND c.section_id = p.section_id
WHERE c.current AND c.embedding_model = %(embedding_model)s
