// What measures a pCPU: the profile, the engine that feeds it, and the clock around the entries of multicalls. Made by
// the pCPU when a profile is wanted.

import type { Clock } from '../../base/index.ts';
import type { Engine } from '../../engine/index.ts';
import type { MachineMemory } from '../../machine/index.ts';
import type { Call } from '../hypercall/multicall.ts';
import { Profile, type ProfileReport } from './profile.ts';
import { ProfiledEngine } from './profiled-engine.ts';

/** The parts of a measured pCPU. */
export class Profiler {
  readonly profile: Profile;
  /** The engine to use instead of the one that was passed. */
  readonly engine: ProfiledEngine;

  constructor(engine: Engine, memory: MachineMemory, clock: Clock) {
    this.profile = new Profile(clock);
    this.engine = new ProfiledEngine(engine, memory, this.profile);
  }

  /** `call`, with each of its calls measured as an entry of a multicall. */
  timed(call: Call): Call {
    return (vcpu, number, args) => {
      const kind = this.engine.hypercallKind(vcpu.context, number, args); // before the handler changes the arguments
      return this.profile.timeEntry(kind, () => call(vcpu, number, args));
    };
  }

  /** What has been measured so far. */
  report(): ProfileReport {
    return this.profile.report(this.engine);
  }
}
