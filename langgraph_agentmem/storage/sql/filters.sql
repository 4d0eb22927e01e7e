-- name: step
-- What stands under a key.
({target} -> {key}::text)

-- name: dotted_step
-- What stands under a key with dots in it, or else at the path that it spells.
coalesce({target} -> {key}::text, {target} #> {path}::text[])

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
CASE WHEN jsonb_typeof({target}) <> 'string' OR NOT ({target} #>> ARRAY[]::text[]) ~ (
              '^(?!0000)\d\d\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])'
              || '([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-](0\d|1[0-5])(:?[0-5]\d)?)?)?$') THEN false
     WHEN substr({target} #>> ARRAY[]::text[], 9, 2)::int > extract(
              day FROM make_date(left({target} #>> ARRAY[]::text[], 4)::int, substr({target} #>> ARRAY[]::text[], 6, 2)::int, 1)
                       + interval '1 month -1 day') THEN false
     WHEN ({target} #>> ARRAY[]::text[]) ~ '[T ].*(Z|[+-]\d\d(:?\d\d)?)$'
     THEN ({target} #>> ARRAY[]::text[])::timestamptz {order} {operand}::timestamptz
     ELSE coalesce((({target} #>> ARRAY[]::text[]) || ' UTC')::timestamptz {order} {operand}::timestamptz, false) END
