export { startDomain } from './start-domain.ts';
