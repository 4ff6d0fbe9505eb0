import { z } from 'zod';
import { HttpError } from './http-error.js';

/** Checks `value` against `schema`. @throws HttpError 400 `invalid_request` naming the place and the rule. */
export function check<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.map(String).join('.') ?? '';
  throw new HttpError(400, 'invalid_request', `${what}${path && `.${path}`}: ${issue?.message ?? 'is not valid'}`);
}

/** How many items a list gives: from the query string. */
export const limitOf = (fallback: number, max: number): z.ZodType<number> =>
  z.coerce
    .number({ error: `must be a whole number from 1 to ${max}` })
    .int()
    .min(1)
    .max(max)
    .default(fallback);
