-- name: count_chunks
-- How many valid chunks a tenant has, or some of its memories.
SELECT count(*) AS chunks FROM agentmem.memory_chunk c WHERE c.external_id = %(external_id)s AND c.end_date IS NULL {counted}

-- name: count_words
-- How many of these chunks, or of a sample of them, hold each word, and belong to each memory, and how many of those are
-- said.
WITH counted AS MATERIALIZED (
    SELECT c.memory_id, c.own_words, c.label FROM agentmem.memory_chunk c
    WHERE c.external_id = %(external_id)s AND c.end_date IS NULL AND (%(every)s = 1 OR mod(c.id, %(every)s) = 0) {counted}
    LIMIT %(most)s
)
SELECT w.word, NULL AS memory_id, count(*) AS chunks, 0 AS said
FROM counted k CROSS JOIN unnest(k.own_words) AS w (word) GROUP BY w.word
UNION ALL
SELECT NULL, k.memory_id, count(*), count(k.label) FROM counted k GROUP BY k.memory_id

-- name: of_memories
-- Of some memories, which an index finds.
AND c.memory_id = ANY (%(memory_ids)s::bigint[])

-- name: scored
-- The part of a search that finds and scores: every chunk of the scope where that is small, else candidates.
--
-- A chunk's words weigh what one inner product says; see policies/weighing.py. Its score is the weighted mean of what the
-- arms say, each 0 to 1 and absolute, so that a score means the same in every result; see policies/ranking.py.
--
-- A small scope is compared completely: by its memories, or, where it is a good part of the tenant's chunks, in one go.
-- In a large one, candidates are the chunks that hold one of the rarest words, the nearest vectors, and what the query's
-- entities are mentioned in; all of them are scored exactly. Where they do not fill the page, everything is compared after
-- all, and comes behind them: so pages of whatever size make up the same order; but not where nothing else could be a hit.
-- Each way is gated by a condition that is looked at once, so that the others cost nothing.
--
-- What the planner believes of tenants and namespaces is often wrong, as their sizes differ by orders of magnitude. So the
-- indexes on words and vectors are not given the choice of one on the tenant (whose collation differs), and namespaces are
-- looked up in a hash table.
--
-- What a chunk's neighbours in its section say is in its weights. An item of a store has no neighbours of its own, so those
-- that were put before and after it count as they are compared: where all are, not candidates only.
size AS MATERIALIZED (
    SELECT {scope_chunks} > %(exact_rows)s AS large, {scope_chunks} * 3 < %(tenant_chunks)s AS narrow
),
graph AS MATERIALIZED (
    {graph}
),
candidate AS MATERIALIZED (
    SELECT m.* FROM (
        SELECT {chosen} FROM {with_rare_words}
        WHERE (SELECT z.large FROM size z) AND {in_scope} AND {visible} AND {kept}
        LIMIT %(most_matches)s) m
    UNION
    SELECT n.* FROM (
        SELECT {chosen} FROM agentmem.memory_chunk c
        WHERE (SELECT z.large FROM size z) AND %(with_vector)s AND c.external_id = %(external_id)s COLLATE "C"
          AND c.embedding_model = {model} AND {indexed} AND {in_scope} AND {visible} AND {kept}
        ORDER BY {distance}
        LIMIT %(nearest)s) n
    UNION
    SELECT {chosen} FROM graph g
    CROSS JOIN LATERAL (
        SELECT k.* FROM agentmem.memory_chunk k WHERE k.external_id = %(external_id)s AND k.id = g.id LIMIT 1) c
    WHERE (SELECT z.large FROM size z) AND {in_scope} AND {visible} AND {kept}
),
way AS MATERIALIZED (
    SELECT CASE WHEN z.large AND ({whole} OR (SELECT count(DISTINCT {item}) FROM candidate k) >= %(wanted)s) THEN 'some'
                WHEN z.narrow THEN 'memories' ELSE 'all' END AS taken
    FROM size z
),
compared AS MATERIALIZED (
    SELECT k.* FROM candidate k
    WHERE (SELECT w.taken FROM way w) = 'some'
    UNION ALL
    SELECT {compared} FROM {memories} o
    JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.memory_id = o.id
    WHERE (SELECT w.taken FROM way w) = 'memories' AND {visible} AND {kept}
    UNION ALL
    SELECT {compared} FROM agentmem.memory_chunk c
    WHERE (SELECT w.taken FROM way w) = 'all' AND c.external_id = %(external_id)s AND {in_scope} AND {visible} AND {kept}
),
asked AS MATERIALIZED (
    -- What takes part in the scores is the same for every chunk. A question that names two labels asks for neither.
    SELECT l.*, {lexical_weight} + CASE WHEN %(with_vector)s THEN {vector_weight} ELSE 0 END
           + CASE WHEN l.by_graph THEN {graph_weight} ELSE 0 END
           + CASE WHEN l.label IS NULL THEN 0 ELSE {label_weight} END
           + CASE WHEN l.by_date THEN {date_weight} ELSE 0 END AS full_score
    FROM (SELECT CASE WHEN min(o.named) = max(o.named) THEN min(o.named) END AS label,
                 EXISTS (SELECT 1 FROM graph) AS by_graph, coalesce(bool_or(o.dated), false) AS by_date
          FROM compared o
          WHERE (%(labels)s::text[] <> '{{}}' OR %(dates)s::int[] IS NOT NULL) AND (o.named IS NOT NULL OR o.dated)) l
),
{beside}scored AS (
    SELECT o.id, o.memory_id, o.section_id, o.document, o.moment, o.late, o.vector, {lexical} AS lexical, {share} AS graph,
           o.named = (SELECT q.label FROM asked q) AS labelled, o.dated, o.recency,
           o.recency * ({lexical_weight} * {lexical} + {vector_weight} * o.vector + {graph_weight} * coalesce({share}, 0)
            + CASE WHEN o.named = (SELECT q.label FROM asked q) THEN {label_weight} ELSE 0 END
            + CASE WHEN o.dated THEN {date_weight} ELSE 0 END) / (SELECT q.full_score FROM asked q) AS score
    FROM compared o {joined}
)

-- name: with_rare_words
-- The tenant's chunks that hold one of the rarest words.
(SELECT c.* FROM agentmem.memory_chunk c
 WHERE c.external_id = %(external_id)s COLLATE "C" AND c.own_words && %(rare_words)s::int[] AND {indexed}) c

-- name: with_rare_words_guarded
-- The same where policies keep the index from being used: each is looked up by its whole key, as the planner would rather
-- read all of a tenant whose size it misjudges.
(SELECT k.* FROM agentmem.chunks_with_words(%(rare_words)s::int[], {number}) AS f (id)
 CROSS JOIN LATERAL (
     SELECT h.* FROM agentmem.memory_chunk h WHERE h.external_id = %(external_id)s AND h.id = f.id LIMIT 1) k) c

-- name: with_query_words
-- An entity whose name holds a word of the query that tells something apart.
e.name_words && %(telling_words)s::text[]

-- name: with_query_words_guarded
-- The same where policies keep the index from being used.
e.id = ANY (ARRAY(SELECT agentmem.entities_with_words(%(telling_words)s::text[])))

-- name: compared
-- What is compared of a chunk: no more than is needed of each, as there may be thousands.
c.id, c.memory_id, c.section_id, {document} AS document, {moment} AS moment, {late} AS late, {said} AS said,
CASE WHEN c.label = ANY (%(labels)s::text[]) THEN c.label END AS named,
%(dates)s::int[] IS NOT NULL AND (c.own_words && %(dates)s::int[] OR c.start_date <@ %(days)s::tstzmultirange) AS dated,
CASE WHEN %(half_life)s::float8 IS NULL THEN 1
     ELSE greatest(power(0.5, greatest(extract(epoch FROM now() - c.start_date), 0) / 86400 / %(half_life)s::float8), {least_recency}) END AS recency,
least(greatest(-(c.words <#> %(question)s::sparsevec) / %(best)s, 0), 1) AS own_lexical,
CASE WHEN c.embedding_model = {model} THEN greatest((coalesce({similarity}, 0) - {floor}) / (1 - {floor}), 0) ELSE 0 END AS vector{own_words}

-- name: graph
-- The chunks that mention what the query names, with the share of it that they mention, by confidence.
SELECT m.chunk_id AS id, least(sum(m.confidence / m.names), 1) AS share
FROM (
    SELECT u.chunk_id, max(u.confidence) AS confidence, (SELECT count(DISTINCT o.name_key) FROM mentioned o) AS names
    FROM mentioned u WHERE u.chunk_id IS NOT NULL
    GROUP BY u.chunk_id, u.name_key
) m
GROUP BY m.chunk_id

-- name: said
-- Whether it is the beginning of an item, and something that is said. What follows in a longer one has its own neighbours.
c.label IS NOT NULL AND {document} IS NULL AND c.chunk_order = 0

-- name: own_words
-- What the neighbours of what is said are asked for.
, CASE WHEN {said} THEN c.own_words END AS own_words

-- name: beside
-- What is said is found by what was said in the items that were put before and after it, too, as in a section: how far one is
-- behind another is counted in chunks, and each word saturates by the length of all that counts; where all are compared, as
-- else those are not known. What a chunk's own words weigh is taken back for what they weigh among the others. Grouping takes
-- the place of a join, whose sides the planner could misjudge.
said AS MATERIALIZED (
    SELECT p.id, p.memory_id, p.place, p.own_lexical, p.own_words, {constant} + {by_length} * greatest(p.length, {short}) AS own_half,
           {constant} + {by_length} * greatest(p.length + p.length_beside, {short}) AS half
    FROM (
        SELECT o.*, row_number() OVER around AS place, {lengths_beside} AS length_beside
        FROM (SELECT c.*, CASE WHEN c.said THEN cardinality(c.own_words) ELSE 0 END AS length FROM compared c) o
        WHERE (SELECT w.taken FROM way w) <> 'some'
        WINDOW around AS (PARTITION BY o.memory_id ORDER BY o.id)) p
    WHERE p.said
),
beside AS MATERIALIZED (
    SELECT max(t.id) AS id, least(greatest(max(t.own_lexical)
               + coalesce(sum(t.weight * {most} * (t.times / (t.times + t.half) - t.own / (1 + t.own_half))), 0) / %(best)s, 0), 1) AS lexical
    FROM (
        SELECT h.memory_id, h.place, h.id, h.own_lexical, h.weight, h.times, h.own,
               max(h.half) OVER here AS half, max(h.own_half) OVER here AS own_half
        FROM (
            SELECT s.memory_id, s.place, s.id, s.own_lexical, s.half, s.own_half, NULL::float8 AS weight, NULL::float8 AS times, 0 AS own
            FROM said s
            UNION ALL
            SELECT s.memory_id, s.place + d.places, NULL, NULL, NULL, NULL, a.weight, sum(d.share), max(CASE WHEN d.places = 0 THEN 1 ELSE 0 END)
            FROM said s
            JOIN unnest(%(asked_words)s::int[], %(asked_weights)s::float8[]) AS a (word, weight)
              ON s.own_lexical > 0 AND a.word = ANY (s.own_words)
            CROSS JOIN (VALUES {places}) AS d (places, share)
            GROUP BY s.memory_id, s.place + d.places, a.word, a.weight) h
        WINDOW here AS (PARTITION BY h.memory_id, h.place)) t
    GROUP BY t.memory_id, t.place
),

-- name: length_behind
-- How many words count of what stands so many chunks before one.
{share} * lag(o.length, {chunks}, 0) OVER around

-- name: length_before
-- How many words count of what stands so many chunks after one.
{share} * lead(o.length, {chunks}, 0) OVER around

-- name: no_graph
-- Nothing of the graph: items are not looked for by what they mention.
SELECT NULL::bigint AS id, NULL::float8 AS share WHERE false

-- name: in_memories
-- A chunk of the memories that are searched.
(%(memory_ids)s::bigint[] IS NULL OR c.memory_id = ANY (%(memory_ids)s::bigint[]))

-- name: granted
-- A chunk of a memory that is granted to who asks, as the statement itself sees it.
(c.memory_id IN ({memories})) IS TRUE

-- name: valid
-- A chunk of the tiers that are searched, valid at the time that is asked for, or now.
((%(tiers)s::text[] IS NULL OR c.tier = ANY (%(tiers)s::text[])) AND c.start_date <= coalesce(%(as_of)s::timestamptz, 'infinity')
 AND (c.end_date IS NULL OR c.end_date > %(as_of)s::timestamptz))

-- name: hits
-- A search's hits, best first, with where they come from: each chunk is looked up by its whole key, and its memory after
-- it. Of tables that are joined, the planner would begin with the memory, and read all of a large one once a hit.
WITH mentioned AS MATERIALIZED (
    SELECT e.name_key, e.confidence, m.chunk_id
    FROM agentmem.entity e
    LEFT JOIN agentmem.mention m ON m.external_id = %(external_id)s AND m.entity_id = e.id
    -- The index finds the names that share a telling word with the query, of which it holds every word.
    WHERE e.external_id = %(external_id)s AND %(named_keys)s::text[] IS NULL
      AND {with_query_words} AND e.name_words <@ %(query_words)s::text[]
    UNION ALL
    SELECT u.name_key, u.confidence, u.chunk_id
    FROM unnest(%(named_keys)s::text[], %(named_confidences)s::float8[], %(named_chunks)s::bigint[])
         AS u (name_key, confidence, chunk_id)
),
{scored},
best AS MATERIALIZED (
    SELECT s.* FROM scored s WHERE %(with_vector)s OR s.score > 0 ORDER BY s.late, s.score DESC, s.id LIMIT %(wanted)s
)
SELECT c.id AS chunk_id, c.content, c.tier, c.memory_id,
       (SELECT a.title FROM agentmem.active_memory a
        WHERE a.external_id = %(external_id)s AND a.id = c.memory_id) AS memory_title, c.section_id, c.section_revision,
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
       CASE WHEN %(with_vector)s THEN b.vector END AS vector, b.lexical, coalesce(b.graph, 0) AS graph,
       CASE WHEN b.labelled THEN 1 ELSE 0 END AS label, CASE WHEN b.dated THEN 1 ELSE 0 END AS date, b.recency, b.score,
       q.label IS NOT NULL AS by_label, q.by_graph, q.by_date,
       ARRAY(SELECT DISTINCT e.name FROM agentmem.mention m
             JOIN agentmem.entity e ON e.external_id = %(external_id)s AND e.id = m.entity_id
             WHERE m.external_id = %(external_id)s AND m.chunk_id = c.id ORDER BY e.name) AS entities
FROM best b
CROSS JOIN asked q
CROSS JOIN LATERAL (
    SELECT k.* FROM agentmem.memory_chunk k WHERE k.external_id = %(external_id)s AND k.id = b.id LIMIT 1) c

-- name: items
-- A page of items, and of consolidated chunks that are asked for, under a prefix: an item's score is its best chunk's, and
-- less where it is long.
WITH scope AS MATERIALIZED (
    SELECT a.id, a.namespace, a.section_count
    FROM agentmem.active_memory a
    WHERE a.external_id = %(external_id)s AND {reachable}
      AND a.namespace[1:cardinality(%(prefix)s::text[])] = %(prefix)s::text[]
      AND a.external_id = coalesce(a.namespace[%(owner)s::int + 1], %(default_tenant)s)
),
{scored},
best AS MATERIALIZED (
    -- What a candidate has found keeps the score with which that did. In a list, items come from their sections alone.
    SELECT bool_and(s.late) AS late, s.memory_id, s.section_id, s.document, count(*) AS chunks,
           CASE WHEN NOT %(listing)s THEN coalesce(max(s.score) FILTER (WHERE NOT s.late), max(s.score)) END AS score,
           max(s.moment) AS moment
    FROM scored s
    WHERE NOT %(listing)s OR s.document IS NOT NULL
    GROUP BY s.memory_id, s.section_id, s.document
),
reach AS MATERIALIZED (
    -- Of candidates, what scores less than this is not on the page, however long the others are.
    SELECT min(t.score) / (1 + {longer} * ln({longest} / {short})) AS least
    FROM (SELECT b.score FROM best b ORDER BY b.score DESC NULLS LAST LIMIT %(wanted)s) t
),
found AS MATERIALIZED (
    SELECT g.late, g.memory_id, g.section_id, g.document,
           -- Of many chunks, one is like the question by accident more easily. Candidates are not all of an item's.
           g.score / (1 + {longer} * ln(least(greatest(
               CASE WHEN g.document IS NOT NULL THEN 1
                    WHEN (SELECT w.taken FROM way w) <> 'some' THEN g.chunks
                    WHEN g.score >= (SELECT r.least FROM reach r) THEN (
                        SELECT count(*) FROM agentmem.memory_chunk c
                        WHERE c.external_id = %(external_id)s AND c.memory_id = g.memory_id AND c.section_id = g.section_id
                          AND c.current)
                END, {short}), {longest}) / {short})) AS score,
           g.moment
    FROM best g
    ORDER BY late, moment DESC NULLS LAST, score DESC NULLS LAST, memory_id, section_id, document
    LIMIT %(wanted)s
),
page AS MATERIALIZED (
    SELECT r.* FROM (
        SELECT f.* FROM found f
        UNION ALL
        -- Items without any text are read only where the others do not fill the page.
        SELECT true, s.memory_id, s.section_id, NULL, NULL, CASE WHEN %(listing)s THEN s.updated_at END
        FROM scope o
        JOIN agentmem.section s ON s.external_id = %(external_id)s AND s.memory_id = o.id
        WHERE (%(listing)s OR (SELECT count(*) FROM found) < %(wanted)s) AND {listed}
          AND (s.memory_id, s.section_id) NOT IN (SELECT f.memory_id, f.section_id FROM found f WHERE f.document IS NULL)
    ) r
    ORDER BY r.late, r.moment DESC NULLS LAST, r.score DESC NULLS LAST, r.memory_id, r.section_id, r.document
    LIMIT %(limit)s OFFSET %(offset)s
)
{items}
ORDER BY late, moment DESC NULLS LAST, score DESC NULLS LAST, memory_id, section_id, document

-- name: found_items
-- A page's items, each looked up by its whole key: the planner would rather read all of a namespace whose size it misjudges.
SELECT g.late, g.memory_id, g.section_id, g.document, g.score, g.moment, o.namespace, s.value, s.created_at, s.updated_at,
       s.revision, CASE WHEN s.expires_at IS NOT NULL THEN s.ttl_minutes END AS ttl_minutes, s.needs_chunking AS read_inconsistent
FROM page g
JOIN scope o ON o.id = g.memory_id
CROSS JOIN LATERAL (
    SELECT k.value, k.created_at, k.updated_at, k.revision, k.expires_at, k.ttl_minutes, k.needs_chunking
    FROM agentmem.section k
    WHERE k.external_id = %(external_id)s AND k.memory_id = g.memory_id AND k.section_id = g.section_id
    LIMIT 1) s
WHERE g.document IS NULL

-- name: found_documents
-- A page's items and consolidated chunks.
UNION ALL
SELECT g.late, g.memory_id, g.section_id, g.document, g.score, g.moment, o.namespace, {value}, c.start_date, c.last_updated,
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

-- name: set_up_search
-- For what travels together: plans searches once a connection, whatever they look for, and neither compiles them nor starts
-- workers for them, which both takes longer than to run them; and sorts only where no index has the order. Tells besides
-- which of the tenants' memories have sections whose chunks are those of an earlier value.
WITH settings AS MATERIALIZED (
    SELECT {settings}
)
SELECT s.external_id, s.memory_id
FROM settings
LEFT JOIN (
    SELECT DISTINCT p.external_id, p.memory_id FROM agentmem.section p
    WHERE p.external_id = ANY (%(external_ids)s::text[]) AND p.needs_chunking
      AND (%(memory_ids)s::bigint[] IS NULL OR p.memory_id = ANY (%(memory_ids)s::bigint[]))) s ON true
