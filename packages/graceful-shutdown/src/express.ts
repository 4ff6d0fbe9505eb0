/**
 * `requestDeadline` and `deadlineSignal` for express 4 and 5, whose requests and responses are those of node:http.
 *
 * @example
 * app.use('/webhook', requestDeadline({ handlerMs: 30_000, bodyMs: 10_000, bodyStatus: 503 }));
 */
export {
  deadlineSignal,
  type NodeDeadline as ExpressDeadline,
  type Overrun,
  type RequestDeadlineOptions,
  requestDeadline,
} from './node.js';
