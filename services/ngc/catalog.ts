import type { Request, RequestHandler, Response } from 'express';
import { MirrorError } from '../../shared/model/errors.ts';
import { parseAddress } from './address.ts';
import { sendDocument, wireOf } from './answers.ts';
import { answerFile } from './files.ts';
import { HeldLists } from './held-lists.ts';
import type { Rooms } from './routes.ts';
import { answerUrls } from './url-answers.ts';

/** Models and resources: forms 1 to 5 and 7 to 9 of the reference (§2.3), each in the spelling of guests and of others. */
export function catalog(rooms: Rooms): RequestHandler {
  const held = new HeldLists(rooms);
  return async (req, res, next) => {
    const { path, query } = wireOf(req);
    const asked = parseAddress(path);
    if (!asked) return next();
    switch (asked.form) {
      case 'artifact':
        return send(req, res, held.info(asked.artifact));
      case 'versions':
        return send(req, res, held.versions(asked.artifact));
      case 'version':
        return send(req, res, rooms.documents.version(asked));
      case 'files':
        return send(req, res, rooms.documents.files(asked));
      case 'file':
        return answerFile(req, res, rooms, asked);
      case 'urls':
        return answerUrls(req, res, rooms, asked, query);
      default:
        throw new MirrorError('not-found', asked.form, `there is no ${asked.form} of this version here`);
    }
  };
}

async function send(req: Request, res: Response, document: ReturnType<HeldLists['info']>): Promise<void> {
  const { bytes, served } = await document;
  return sendDocument(req, res, bytes, { served });
}
