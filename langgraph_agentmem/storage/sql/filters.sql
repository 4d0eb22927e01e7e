-- name: step
-- What stands under a key.
({target} -> {key}::text)

-- name: dotted_step
-- What stands under a key with dots in it, or else at the path that it spells.
coalesce({target} -> {key}::text, {target} #> {path}::text[])

-- name: dotted_step_inside
-- The same where what to look into is long: it is computed once, which OFFSET 0 keeps the planner from undoing.
(SELECT coalesce(o.inner_value -> {key}::text, o.inner_value #> {path}::text[])
 FROM (SELECT {target} AS inner_value OFFSET 0) AS o)

-- name: bound
-- A condition on what is long to compute, and computed once.
(SELECT {condition} FROM (SELECT {target} AS bound_value OFFSET 0) AS b)

-- name: position
-- What stands at a position of a list.
({target} -> {key}::int)

-- name: null
-- Null or missing.
coalesce({target}, 'null') = 'null'

-- name: present
-- Not missing.
{target} IS NOT NULL

-- name: object
-- A JSON object.
coalesce(jsonb_typeof({target}) = 'object', false)

-- name: list
-- A list of that length.
CASE WHEN jsonb_typeof({target}) = 'array' THEN jsonb_array_length({target}) = {operand}::int ELSE false END

-- name: equal
-- The same JSON.
coalesce({target} = {operand}::jsonb, false)

-- name: among
-- One of several.
coalesce({target} = ANY({operand}::jsonb[]), false)

-- name: element
-- A list with that element.
EXISTS (SELECT 1 FROM jsonb_array_elements(CASE WHEN jsonb_typeof({target}) = 'array' THEN {target} ELSE '[]' END) AS e
        WHERE e = {operand}::jsonb)

-- name: substring
-- A text with that part.
CASE WHEN jsonb_typeof({target}) = 'string' THEN strpos({target} #>> ARRAY[]::text[], {operand}::text) > 0 ELSE false END

-- name: number
-- A number that stands so to another one.
CASE WHEN jsonb_typeof({target}) = 'number' THEN {target} {order} {operand}::jsonb ELSE false END

-- name: text
-- A text that stands so to another one, by code points.
CASE WHEN jsonb_typeof({target}) = 'string' THEN ({target} #>> ARRAY[]::text[]) COLLATE "C" {order} {operand}::text
     ELSE false END

-- name: instant
-- A text that is a date or time in ISO 8601, in UTC if it names no zone, and stands so to an instant.
-- Whatever passes the first two conditions is one that the cast takes; fractions of seconds beyond are rounded.
CASE WHEN jsonb_typeof({target}) <> 'string' OR NOT ({target} #>> ARRAY[]::text[]) COLLATE "C" ~ (
              '^(?!0000)[0-9]{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([T ]([01][0-9]|2[0-3]):[0-5][0-9]'
              || '(:[0-5][0-9]([.][0-9]{{1,9}})?)?(Z|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)?)?$') THEN false
     WHEN substr({target} #>> ARRAY[]::text[], 9, 2)::int > extract(
              day FROM make_date(left({target} #>> ARRAY[]::text[], 4)::int, substr({target} #>> ARRAY[]::text[], 6, 2)::int, 1)
                       + interval '1 month -1 day') THEN false
     WHEN ({target} #>> ARRAY[]::text[]) ~ '[T ].*(Z|[+-][0-9][0-9](:?[0-9][0-9])?)$'
     THEN ({target} #>> ARRAY[]::text[])::timestamptz {order} {operand}::timestamptz
     ELSE coalesce((({target} #>> ARRAY[]::text[]) || ' UTC')::timestamptz {order} {operand}::timestamptz, false) END
