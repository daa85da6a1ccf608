import { circuitBreaker, CircuitState, ConsecutiveBreaker, handleWhen, type CircuitBreakerPolicy } from 'cockatiel';

export interface BreakerOptions {
  /** Consecutive failures that open a circuit. */
  readonly failures: number;
  /** How long it stays open before one call may try again, in milliseconds. */
  readonly openMs: number;
  /** Circuits that are remembered; beyond, the one that was used longest ago is forgotten, closed ones first. */
  readonly circuits: number;
}

export const DEFAULT_BREAKER: BreakerOptions = { failures: 5, openMs: 60_000, circuits: 1000 };

export type BreakerState = 'closed' | 'open' | 'half-open';

/**
 * What a call says about the callee: it works, it is broken, or nothing, because the caller was at fault or gave up. An agent
 * that could fail calls at will would otherwise open the circuit for everybody, or keep a broken one closed.
 */
export interface Outcome<T> {
  readonly value: T;
  readonly health: 'well' | 'ill' | 'unknown';
}

/** Carries an outcome that says nothing out of cockatiel, which counts results as a success or a failure. */
class Unknown<T> extends Error {
  readonly outcome: Outcome<T>;

  constructor(outcome: Outcome<T>) {
    super('says nothing');
    this.outcome = outcome;
  }
}

/**
 * Circuit breakers, one for each key (a host, a tool). After so many consecutive failures a callee is left alone; then one
 * call tries, and while it is under way all others are still turned away, at once.
 */
export class Breakers {
  readonly #options: BreakerOptions;
  /** In the order of their last use. */
  readonly #circuits = new Map<string, CircuitBreakerPolicy>();

  constructor(options: Partial<BreakerOptions> = {}) {
    this.#options = { ...DEFAULT_BREAKER, ...options };
  }

  /** Calls `call` where the circuit of `key` lets it through, else `refused`. What `call` throws passes through. */
  async run<T>(key: string, call: () => Promise<Outcome<T>>, refused: () => T): Promise<T> {
    const circuit = this.#circuit(key);
    // Cockatiel would let the others wait for the one that tries.
    if (circuit.state === CircuitState.HalfOpen) return refused();
    let called = false;
    try {
      const outcome = await circuit.execute(async () => {
        called = true;
        const outcome = await call();
        if (outcome.health === 'unknown') throw new Unknown(outcome);
        return outcome;
      });
      return outcome.value;
    } catch (error) {
      if (error instanceof Unknown) return (error as Unknown<T>).outcome.value;
      if (!called) return refused();
      throw error;
    }
  }

  /** Every circuit that is remembered, for metrics and the doctor. */
  states(): Record<string, BreakerState> {
    return Object.fromEntries([...this.#circuits].map(([key, circuit]) => [key, nameOf(circuit.state)]));
  }

  #circuit(key: string): CircuitBreakerPolicy {
    const circuit = this.#circuits.get(key) ?? this.#make();
    this.#circuits.delete(key);
    this.#circuits.set(key, circuit);
    if (this.#circuits.size > this.#options.circuits) this.#forget();
    return circuit;
  }

  #make(): CircuitBreakerPolicy {
    // What is thrown says nothing; of the one call that tries, nothing is not good enough to close the circuit.
    const circuit: CircuitBreakerPolicy = circuitBreaker(
      handleWhen(() => circuit.state === CircuitState.HalfOpen).orWhenResult(
        (outcome) => (outcome as Outcome<unknown>).health === 'ill',
      ),
      { halfOpenAfter: this.#options.openMs, breaker: new ConsecutiveBreaker(this.#options.failures) },
    );
    return circuit;
  }

  #forget(): void {
    const keys = [...this.#circuits.keys()].slice(0, -1);
    const closed = keys.find((key) => this.#circuits.get(key)?.state === CircuitState.Closed);
    this.#circuits.delete(closed ?? keys[0]!);
  }
}

function nameOf(state: CircuitState): BreakerState {
  if (state === CircuitState.Closed) return 'closed';
  return state === CircuitState.HalfOpen ? 'half-open' : 'open';
}
