-- name: search
-- Candidates of a search with every arm's score; the model in use and how its vectors are compared are filled in.
--
-- BM25 with k1 = 1.2 and b = 0.75 over the tenant's chunks, where a neighbour's word counts a tenth of an own one.
-- The query's first 64 distinct words count. Words that more than half of the chunks hold are left out unless there are
-- no others. Tenants with few chunks are compared exactly, larger ones by the index with an iterative scan, and exactly
-- as well if that finds too few.
-- Where another graph database has looked for the entities that the query names, it is given what that found.
WITH words AS (
    SELECT lexeme FROM unnest(to_tsvector(%(config)s::regconfig, %(query)s)) ORDER BY positions[1], lexeme LIMIT 64
),
size AS (
    SELECT count(*) AS chunks, coalesce(avg(s.word_count), 1) AS words
    -- No more are read than it takes to tell a small tenant from a large one.
    FROM (SELECT word_count FROM agentmem.memory_chunk WHERE external_id = %(external_id)s
          LIMIT %(exact_rows)s + 1) s
),
frequency AS (
    SELECT w.lexeme,
           replace(replace(w.lexeme, '\', '\\'), '''', '''''') AS quoted,
           (SELECT count(*) FROM agentmem.memory_chunk c
            WHERE c.external_id = %(external_id)s
              AND c.text_search @@ ('''' || replace(replace(w.lexeme, '\', '\\'), '''', '''''') || '''')::tsquery) AS chunks
    FROM words w
),
rare AS (
    SELECT f.lexeme, f.quoted,
           ln(1 + (greatest(s.chunks, f.chunks) - f.chunks + 0.5) / (f.chunks + 0.5)) AS idf
    FROM frequency f CROSS JOIN size s
    WHERE f.chunks <= greatest(10, s.chunks / 2)
       OR NOT EXISTS (SELECT 1 FROM frequency o WHERE o.chunks BETWEEN 1 AND greatest(10, s.chunks / 2))
),
any_word AS (
    SELECT string_agg('''' || quoted || '''', ' | ')::tsquery AS query, sum(idf) * 2.2 AS best FROM rare
),
lexical AS MATERIALIZED (
    SELECT c.id, sum(r.idf * f.frequency * 2.2 / (f.frequency + 1.2 * (0.25 + 0.75 * c.word_count / s.words))) AS bm25
    FROM any_word a
    CROSS JOIN size s
    JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.text_search @@ a.query
    CROSS JOIN LATERAL unnest(c.text_search) AS t (lexeme, positions, weights)
    JOIN rare r ON r.lexeme = t.lexeme
    CROSS JOIN LATERAL (SELECT sum(CASE p.weight WHEN 'A' THEN 1.0 ELSE 0.1 END) AS frequency
                        FROM unnest(t.weights) AS p (weight)) f
    WHERE (%(tiers)s::text[] IS NULL OR c.tier = ANY (%(tiers)s))
      AND (%(memory_ids)s::bigint[] IS NULL OR c.memory_id = ANY (%(memory_ids)s))
      AND c.start_date <= coalesce(%(as_of)s::timestamptz, 'infinity')
      AND (c.end_date IS NULL OR c.end_date > %(as_of)s::timestamptz)
    GROUP BY c.id
),
approximate AS MATERIALIZED (
    SELECT c.id
    FROM agentmem.memory_chunk c
    WHERE c.external_id = %(external_id)s AND %(with_vector)s
      AND (SELECT s.chunks FROM size s) > %(exact_rows)s
      AND c.embedding_model = {model}
      AND (%(tiers)s::text[] IS NULL OR c.tier = ANY (%(tiers)s))
      AND (%(memory_ids)s::bigint[] IS NULL OR c.memory_id = ANY (%(memory_ids)s))
      AND c.start_date <= coalesce(%(as_of)s::timestamptz, 'infinity')
      AND (c.end_date IS NULL OR c.end_date > %(as_of)s::timestamptz)
    ORDER BY {distance}
    LIMIT %(candidates)s
),
exact AS MATERIALIZED (
    SELECT c.id
    FROM agentmem.memory_chunk c
    WHERE c.external_id = %(external_id)s AND %(with_vector)s
      AND (SELECT count(*) FROM approximate) < %(candidates)s
      AND c.embedding_model = {model}
      AND (%(tiers)s::text[] IS NULL OR c.tier = ANY (%(tiers)s))
      AND (%(memory_ids)s::bigint[] IS NULL OR c.memory_id = ANY (%(memory_ids)s))
      AND c.start_date <= coalesce(%(as_of)s::timestamptz, 'infinity')
      AND (c.end_date IS NULL OR c.end_date > %(as_of)s::timestamptz)
    -- No index has the order of a sum: adding 0 keeps the vector index out of what is to be exact.
    ORDER BY ({distance}) + 0, c.id
    LIMIT %(candidates)s
),
named AS (
    SELECT e.id, e.confidence, e.name_key
    FROM agentmem.entity e
    WHERE e.external_id = %(external_id)s AND length(e.name_search) > 0 AND %(named_keys)s::text[] IS NULL
      -- The index finds the names that share a word with the query; the next line keeps those of which it holds every
      -- word.
      AND e.name_search @@ (SELECT string_agg('''' || f.quoted || '''', ' | ')::tsquery FROM frequency f)
      AND tsvector_to_array(e.name_search) <@ (SELECT array_agg(w.lexeme) FROM words w)
),
mentioned AS (
    SELECT n.name_key, n.confidence, m.chunk_id
    FROM named n
    LEFT JOIN agentmem.mention m ON m.external_id = %(external_id)s AND m.entity_id = n.id
    UNION ALL
    SELECT u.name_key, u.confidence, u.chunk_id
    FROM unnest(%(named_keys)s::text[], %(named_confidences)s::float8[], %(named_chunks)s::bigint[])
         AS u (name_key, confidence, chunk_id)
),
graph AS MATERIALIZED (
    SELECT g.chunk_id AS id, sum(g.share) AS share
    FROM (
        SELECT m.chunk_id, m.name_key,
               max(m.confidence) / (SELECT count(DISTINCT o.name_key) FROM mentioned o) AS share
        FROM mentioned m
        JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.id = m.chunk_id
        WHERE (%(tiers)s::text[] IS NULL OR c.tier = ANY (%(tiers)s))
          AND (%(memory_ids)s::bigint[] IS NULL OR c.memory_id = ANY (%(memory_ids)s))
          AND c.start_date <= coalesce(%(as_of)s::timestamptz, 'infinity')
          AND (c.end_date IS NULL OR c.end_date > %(as_of)s::timestamptz)
        GROUP BY m.chunk_id, m.name_key
    ) g
    GROUP BY g.chunk_id
),
candidate AS (
    (SELECT id FROM lexical ORDER BY bm25 DESC, id LIMIT %(candidates)s)
    UNION
    (SELECT id FROM graph ORDER BY share DESC, id LIMIT %(candidates)s)
    UNION
    SELECT id FROM exact
    UNION
    SELECT id FROM approximate
)
SELECT c.id AS chunk_id, c.content, c.tier, c.memory_id, a.title AS memory_title, c.section_id, c.section_revision,
       c.chunk_order, c.current, c.origin, c.source, c.run_id::text AS run_id, c.start_date, c.end_date, c.superseded_by,
       c.metadata,
       CASE WHEN c.unclear_with IS NULL THEN ARRAY[]::bigint[]
            ELSE ARRAY(SELECT o.id FROM agentmem.memory_chunk o
                       WHERE o.external_id = %(external_id)s AND o.id = ANY (c.unclear_with)
                         AND o.start_date <= coalesce(%(as_of)s::timestamptz, 'infinity')
                         AND (o.end_date IS NULL OR o.end_date > %(as_of)s::timestamptz) ORDER BY o.id)
       END AS unclear_with,
       c.id IN (SELECT unnest(d.chunk_ids) FROM agentmem.dispute d
                WHERE d.external_id = %(external_id)s AND d.created_at <= coalesce(%(as_of)s::timestamptz, 'infinity')
                  AND (d.closed_at IS NULL OR d.closed_at > %(as_of)s::timestamptz)) AS disputed,
       CASE WHEN NOT %(with_vector)s THEN NULL
            WHEN c.embedding_model = {model}
            THEN {similarity}
            ELSE 0 END AS vector,
       least(coalesce(l.bm25 / nullif((SELECT w.best FROM any_word w), 0), 0), 1) AS lexical,
       least(coalesce(g.share, 0), 1) AS graph,
       ARRAY(SELECT DISTINCT e.name FROM agentmem.mention m
             JOIN agentmem.entity e ON e.external_id = %(external_id)s AND e.id = m.entity_id
             WHERE m.external_id = %(external_id)s AND m.chunk_id = c.id ORDER BY e.name) AS entities
FROM candidate k
JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.id = k.id
JOIN agentmem.active_memory a ON a.external_id = %(external_id)s AND a.id = c.memory_id
LEFT JOIN lexical l ON l.id = c.id
LEFT JOIN graph g ON g.id = c.id
