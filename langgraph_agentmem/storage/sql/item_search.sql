-- name: search_items
-- Items, and consolidated chunks that are asked for, under a prefix, by how well they answer a query.
--
-- A chunk's score is the weighted mean of its similarity to the query's vector and of its share of the query's words; an
-- item's is its best chunk's. The share is BM25 (k1 = 1.2, b = 0.75) relative to a chunk of average length that holds every
-- word once, at most 1. A word's frequency in a chunk is found from ts_rank, which for one word is the sum of 1/j² over its
-- occurrences, relative to that of infinitely many (π²/6): what is missing is 1/(n + ½), nearly. The query's rarest words
-- count, by the database's statistics, as long as they have few enough matches together.
--
-- The nearest chunks come from the index where the scope is a good part of it, else, or where the index finds too few,
-- from comparing all of the scope's. Chunks that share a word are known completely. So whatever is not in the pool scores at
-- most what the farthest of the nearest would without words: items above that are certain of their place, and only where
-- these are fewer than asked for, all others are scored. The order is therefore total, and the same for every page.
--
-- What the planner believes of tenants and namespaces is often wrong, as their sizes differ by orders of magnitude. So the
-- indexes on words and vectors are not given the choice of one on the tenant (whose collation differs), namespaces are
-- looked up in a hash table, and what may be many is aggregated rather than joined.
WITH scope AS MATERIALIZED (
    SELECT a.id, a.namespace, a.section_count
    FROM agentmem.active_memory a
    WHERE a.external_id = %(external_id)s AND {reachable}
      AND a.namespace[1:cardinality(%(prefix)s::text[])] = %(prefix)s::text[]
      AND a.external_id = coalesce(a.namespace[%(owner)s::int + 1], %(default_tenant)s)
),
size AS MATERIALIZED (
    SELECT greatest(coalesce(sum(o.section_count), 0), 1) AS items,
           coalesce(sum(o.section_count), 0) ^ 2 > {worth} * (
               SELECT greatest(p.reltuples, 0) FROM pg_class p WHERE p.oid = 'agentmem.memory_chunk'::regclass) AS large
    FROM scope o
),
-- A lexeme may hold anything, so it is quoted to be a query.
every_word AS MATERIALIZED (
    SELECT u.lexeme, ('''' || replace(replace(u.lexeme, '\', '\\'), '''', '''''') || '''')::tsquery AS word,
           coalesce((%(frequent)s::jsonb ->> u.lexeme)::int, %(rare)s) AS chunks
    FROM unnest(to_tsvector(%(config)s::regconfig, %(query)s)) u
),
words AS MATERIALIZED (
    SELECT e.lexeme, e.word
    FROM (SELECT w.*, sum(w.chunks) OVER (ORDER BY w.chunks, w.lexeme) AS together FROM every_word w) e
    WHERE e.together <= %(max_matches)s OR (NOT %(with_vector)s AND e.together = e.chunks)
    ORDER BY e.together
    LIMIT 64
),
matches AS MATERIALIZED (
    SELECT t.id, t.memory_id, t.section_id, t.document, t.lexeme, t.similarity,
           t.frequency * 2.2 / (t.frequency + 1.2 * (0.25 + 0.75 * t.word_count / greatest(avg(t.word_count) OVER (), 1)))
               AS weight
    FROM (
        SELECT c.id, c.memory_id, c.section_id, {document} AS document, w.lexeme, c.word_count,
               1 / (1.6449341 - least(ts_rank('{{0.1, 0.1, 0.1, 1}}', c.text_search, w.word) * 1.6449341, 1.64)) - 0.5
                   AS frequency,
               CASE WHEN c.embedding_model = {model} THEN coalesce({similarity}, 0) ELSE 0 END AS similarity
        FROM words w
        JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s COLLATE "C" AND c.text_search @@ w.word
        -- IS TRUE keeps the planner from making a join of it, so that the namespaces are looked up in a hash table.
        WHERE (c.memory_id IN (SELECT o.id FROM scope o)) IS TRUE AND {visible} AND {kept}
    ) t
),
idf AS MATERIALIZED (
    SELECT w.lexeme, ln(1 + (greatest(z.items, m.chunks) - m.chunks + 0.5) / (m.chunks + 0.5)) AS idf
    FROM words w
    CROSS JOIN size z
    CROSS JOIN LATERAL (SELECT count(*) AS chunks FROM matches m WHERE m.lexeme = w.lexeme) m
),
lexical AS MATERIALIZED (
    SELECT m.id, m.memory_id, m.section_id, m.document, m.similarity,
           least(sum(i.idf * m.weight) / (SELECT sum(f.idf) FROM idf f), 1) AS share
    FROM matches m JOIN idf i ON i.lexeme = m.lexeme
    GROUP BY m.id, m.memory_id, m.section_id, m.document, m.similarity
),
approximate AS MATERIALIZED (
    SELECT c.id, c.memory_id, c.section_id, {document} AS document, {distance} AS distance
    FROM agentmem.memory_chunk c
    WHERE c.external_id = %(external_id)s COLLATE "C" AND %(with_vector)s AND (SELECT z.large FROM size z)
      AND c.embedding_model = {model}
      AND (c.memory_id IN (SELECT o.id FROM scope o)) IS TRUE AND {visible} AND {kept}
    ORDER BY {distance}
    LIMIT {pool}
),
exact AS MATERIALIZED (
    -- No index has the order of a sum: adding 0 keeps the vector index out of what is to be exact.
    SELECT c.id, c.memory_id, c.section_id, {document} AS document, ({distance}) + 0 AS distance
    FROM scope o
    JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.memory_id = o.id
    WHERE %(with_vector)s AND (SELECT count(*) FROM approximate p) < {pool}
      AND c.embedding_model = {model} AND {visible} AND {kept}
    ORDER BY ({distance}) + 0, c.id
    LIMIT {pool}
),
nearest AS MATERIALIZED (
    SELECT p.* FROM approximate p WHERE NOT EXISTS (SELECT 1 FROM exact e)
    UNION ALL
    SELECT e.* FROM exact e
),
bound AS MATERIALIZED (
    -- Fewer than the pool are all that there are, and nothing lies beyond them.
    SELECT CASE WHEN count(*) < {pool} THEN 0 ELSE {vector_weight} * min({near}) END AS score FROM nearest n
),
certain AS MATERIALIZED (
    SELECT p.memory_id, p.section_id, p.document, max(p.score) AS score
    FROM (
        SELECT n.memory_id, n.section_id, n.document,
               {vector_weight} * {near} + {lexical_weight} * coalesce(l.share, 0) AS score
        FROM nearest n
        LEFT JOIN lexical l ON l.id = n.id
        UNION ALL
        SELECT l.memory_id, l.section_id, l.document, {vector_weight} * l.similarity + {lexical_weight} * l.share
        FROM lexical l
        WHERE NOT EXISTS (SELECT 1 FROM nearest n WHERE n.id = l.id)
    ) p
    GROUP BY p.memory_id, p.section_id, p.document
    HAVING max(p.score) >= (SELECT b.score FROM bound b)
),
needed AS MATERIALIZED (
    SELECT (SELECT count(*) FROM certain t) < %(limit)s::bigint + %(offset)s::bigint AS more
),
ranked AS MATERIALIZED (
    SELECT min(r.batch) AS batch, r.memory_id, r.section_id, r.document,
           -- A certain item keeps the score by which it is certain.
           coalesce(max(r.score) FILTER (WHERE r.batch = 0), max(r.score)) AS score, max(r.moment) AS moment
    FROM (
        SELECT 0 AS batch, t.memory_id, t.section_id, t.document, t.score, NULL::timestamptz AS moment FROM certain t
        UNION ALL
        -- Batch 1 is all of the scope, read only where the certain items do not fill the page.
        SELECT 1, s.memory_id, s.section_id, NULL, NULL, CASE WHEN %(listing)s THEN s.updated_at END
        FROM scope o
        JOIN agentmem.section s ON s.external_id = %(external_id)s AND s.memory_id = o.id
        WHERE (SELECT n.more FROM needed n) AND {listed}
        UNION ALL
        SELECT 1, p.memory_id, p.section_id, p.document, sum(p.part), max(p.moment)
        FROM (
            SELECT c.id, c.memory_id, c.section_id, {document} AS document,
                   CASE WHEN %(listing)s AND {document} IS NOT NULL THEN c.last_updated END AS moment,
                   {vector_weight} * CASE WHEN c.embedding_model = {model} THEN coalesce({similarity}, 0) ELSE 0 END AS part
            FROM scope o
            JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.memory_id = o.id
            WHERE (SELECT n.more FROM needed n) AND {visible} AND {kept}
            UNION ALL
            SELECT l.id, l.memory_id, l.section_id, l.document, NULL, {lexical_weight} * l.share
            FROM lexical l
            WHERE (SELECT n.more FROM needed n)
        ) p
        GROUP BY p.id, p.memory_id, p.section_id, p.document
    ) r
    GROUP BY r.memory_id, r.section_id, r.document
),
page AS MATERIALIZED (
    SELECT r.* FROM ranked r
    ORDER BY r.batch, r.moment DESC NULLS LAST, r.score DESC NULLS LAST, r.memory_id, r.section_id, r.document
    LIMIT %(limit)s OFFSET %(offset)s
)
{items}
ORDER BY batch, moment DESC NULLS LAST, score DESC NULLS LAST, memory_id, section_id, document

-- name: found_items
-- A page's items.
SELECT g.batch, g.memory_id, g.section_id, g.document, g.score, g.moment, o.namespace, s.value, s.created_at, s.updated_at,
       s.revision, CASE WHEN s.expires_at IS NOT NULL THEN s.ttl_minutes END AS ttl_minutes, s.needs_chunking AS read_inconsistent
FROM page g
JOIN scope o ON o.id = g.memory_id
JOIN agentmem.section s ON s.external_id = %(external_id)s AND s.memory_id = g.memory_id AND s.section_id = g.section_id
WHERE g.document IS NULL

-- name: found_documents
-- A page's items and consolidated chunks.
UNION ALL
SELECT g.batch, g.memory_id, g.section_id, g.document, g.score, g.moment, o.namespace, {value}, c.start_date, c.last_updated,
       c.section_revision, NULL, false
FROM page g
JOIN scope o ON o.id = g.memory_id
JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.id = g.document

-- name: document_value
-- What a consolidated chunk says of itself as an item.
jsonb_build_object('content', c.content, 'tier', c.tier, 'section_id', c.section_id, 'memory_id', c.memory_id,
                   'current', c.current, 'start_date', c.start_date, 'end_date', c.end_date)

-- name: consolidated
-- A consolidated chunk that is valid, and that no item of the result holds.
(c.tier = ANY (%(tiers)s::text[]) AND c.end_date IS NULL AND NOT (c.current AND %(active)s))

-- name: kept_items
-- A chunk of an item that passes.
EXISTS (SELECT 1 FROM agentmem.section s
        WHERE s.external_id = %(external_id)s AND s.memory_id = c.memory_id AND s.section_id = c.section_id
          AND {passing})

-- name: kept_documents
-- A chunk that passes by itself, or whose item passes.
CASE WHEN {document} IS NULL THEN {kept}
     ELSE (SELECT {filter} FROM (SELECT {value} AS value) s)
          AND NOT (%(omit_expired)s AND c.current AND EXISTS (
                       SELECT 1 FROM agentmem.section s
                       WHERE s.external_id = %(external_id)s AND s.memory_id = c.memory_id
                         AND s.section_id = c.section_id AND s.expires_at <= now())) END

-- name: unexpired
-- An item that has not expired.
(s.expires_at IS NULL OR s.expires_at > now())

-- name: one_document
-- A consolidated chunk as an item.
SELECT {value} AS value, c.start_date AS created_at, c.last_updated AS updated_at, c.section_revision AS revision
FROM agentmem.memory_chunk c
JOIN agentmem.active_memory a ON a.external_id = %(external_id)s AND a.id = c.memory_id
WHERE c.external_id = %(external_id)s AND c.id = %(document)s AND c.tier = %(tier)s AND a.namespace = %(namespace)s

-- name: word_frequencies
-- About how many chunks hold a word, as far as the statistics know.
SELECT f.word, (f.frequency * p.reltuples)::int AS chunks
FROM (
    SELECT unnest(t.most_common_elems::text::text[]) AS word, unnest(t.most_common_elem_freqs) AS frequency
    FROM pg_stats t
    WHERE t.schemaname = 'agentmem' AND t.tablename = 'memory_chunk' AND t.attname = 'text_search'
) f
JOIN pg_class p ON p.oid = 'agentmem.memory_chunk'::regclass
WHERE f.word IS NOT NULL AND p.reltuples > 0

-- name: set_up_search
-- For what travels together: plans searches once a connection, whatever they look for, and neither compiles them nor starts
-- workers for them, which both takes longer than to run them; and sorts only where no index has the order. Tells besides
-- which of the tenants' memories have sections whose chunks are those of an earlier value.
WITH settings AS MATERIALIZED (
    SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('jit', 'off', true),
           set_config('max_parallel_workers_per_gather', '0', true), set_config('enable_sort', 'off', true), {ann_settings}
)
SELECT s.external_id, s.memory_id
FROM settings
LEFT JOIN (
    SELECT DISTINCT p.external_id, p.memory_id FROM agentmem.section p
    WHERE p.external_id = ANY (%(external_ids)s::text[]) AND p.needs_chunking) s ON true
