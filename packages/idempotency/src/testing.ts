export type { SimulationTimes } from './simulation/oracle.js';
export { type SimulationOptions, type SimulationReport, simulate } from './simulation/simulate.js';
export { type SimulatedClock, simulatedClock } from './simulation/simulated-clock.js';
export { type StoreCase, type StoreUnderTest, storeCases } from './store-cases.js';
