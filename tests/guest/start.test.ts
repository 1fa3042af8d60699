// What a guest finds when it starts.

import { guestTest } from '../support/guest/guest-test.ts';

guestTest('start: a kernel that does nothing succeeds', () => {});
