export { adviceFor, type Advice } from './codes.js';
