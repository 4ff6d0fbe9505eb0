import { z } from 'zod';
import { errorAnswer } from './answers.js';
import { CONTRACT, type RouteContract } from './contract.js';

/** `/openapi.json`: OpenAPI 3.1, whose schemas are JSON Schema 2020-12. Made of the contract, and the same each time. */
export function openApi(): object {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of CONTRACT) {
    const at = (paths[route.path] ??= {});
    at[route.method] = operation(route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast orchestrator',
      version: '1',
      description: 'Makes alerts durable, tells people, learns. Errors are { error: { code, message } }.',
    },
    paths,
    components: {
      schemas: { Error: schemaOf(errorAnswer, 'output') },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'API_TOKEN, where it is set' },
        session: { type: 'apiKey', in: 'cookie', name: 'holdfast_session' },
      },
    },
  };
}

function operation({ method, path, summary, open, query, body, answers }: RouteContract): object {
  const parameters = [
    ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    })),
    ...queryParameters(query),
  ];
  const responses = Object.entries(answers).map(([status, { description, schema, type }]) => [
    status,
    { description, ...contentOf(schema, type) },
  ]);
  return {
    operationId: `${method}${path.replace(/[^a-z]+(\w?)/gi, (_, letter: string) => letter.toUpperCase())}`,
    summary,
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: { content: { 'application/json': { schema: schemaOf(body, 'input') } } } }),
    responses: {
      ...Object.fromEntries(responses),
      ...(!open && {
        401: {
          description: 'no token, or the wrong one',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
      }),
    },
    ...(!open && { security: [{}, { token: [] }, { session: [] }] }),
  };
}

function contentOf(schema: z.ZodType | undefined, type = 'application/json'): object {
  if (!schema && type === 'application/json') return {};
  if (schema === errorAnswer) return { content: { [type]: { schema: { $ref: '#/components/schemas/Error' } } } };
  return { content: { [type]: { schema: schema ? schemaOf(schema, 'output') : { type: 'string' } } } };
}

function queryParameters(query: z.ZodType | undefined): object[] {
  if (!query) return [];
  const { properties = {} } = schemaOf(query, 'input') as { properties?: Record<string, object> };
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', required: false, schema }));
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
