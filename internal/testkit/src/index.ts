export {
  type Alertmanager,
  type AlertmanagerOptions,
  type AlertmanagerRoute,
  type PostedAlert,
  startAlertmanager,
} from './alertmanager.js';
export { cacheDir, findAlertmanager, findMongod, needs, type Tool } from './binaries.js';
export type { ChaosOptions, ChaosReport } from './chaos.js';
export { type EventuallyOptions, eventually } from './eventually.js';
export {
  type FakeProvider,
  fakeProvider,
  fakeSendGrid,
  fakeSlack,
  type ReceivedRequest,
  type Reply,
  type ReplyScript,
} from './fake-provider.js';
export { fetchMongod } from './fetch-mongod.js';
export { cachedNode, fetchNode, NODE_MAJORS } from './fetch-node.js';
export { freePort } from './free-port.js';
export { type Mongod, type MongodOptions, type ReplicaSet, startMongod, startReplicaSet } from './mongod.js';
export { type Exit, type Proc, type RunOptions, runNode, runProcess } from './process.js';
export { type TcpProxy, tcpProxy } from './tcp-proxy.js';
export { type TempDir, tempDir } from './temp-dir.js';
