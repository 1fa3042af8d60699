export type { DomainConfig, DomainEnd, OutputSink, StartReporter } from './start-domain.ts';
export { RunningDomain, startDomain } from './start-domain.ts';
