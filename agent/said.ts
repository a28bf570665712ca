// What a component's word on the channel means to its state machine. Most words are events as they stand; some are
// only kept for people and metrics.

import { isLoopbackUrl } from '../configuration/words.ts';
import type { Said } from './channel/admission.ts';
import type { Component } from './component.ts';
import type { ComponentEvent } from './watchdog/model.ts';

export function eventOf(component: Component, said: Said): ComponentEvent | undefined {
  switch (said.kind) {
    case 'ready': {
      const { metricsUrl, version } = said;
      component.versionTold(version);
      // Scraping follows this address: it must not lead away from the machine.
      component.readyTold(metricsUrl && isLoopbackUrl(metricsUrl) ? metricsUrl : undefined);
      return { kind: 'ready' };
    }
    case 'beat':
      component.beatTold(said.loopDelayMsMax ?? 0);
      return { kind: 'beat', loopDelayMsMax: said.loopDelayMsMax ?? 0 };
    case 'status':
      component.statusTold(said.text);
      return undefined;
    case 'stopping':
      component.status = 'stopping';
      return undefined;
    case 'evidence':
    case 'answer':
      return undefined;
    case 'span':
      component.onSpan(said.otlp);
      return undefined;
    case 'end':
      return { kind: 'end', id: said.id };
    default:
      return said;
  }
}
